"""Labels, groups and near-identical fields."""
