"""What every other package stands on: errors, atomic files, progress, parallel runs. Nothing here is about cells."""
