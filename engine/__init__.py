"""What every other package stands on: errors, atomic files, progress, parallel runs.

Nothing here measures, models, or knows the run folder; a field is an id at most.
"""
