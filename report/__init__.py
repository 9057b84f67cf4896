"""Results for people: the report page, plots, pictures of fields, overlays, and feature descriptions."""
