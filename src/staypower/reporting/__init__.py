"""What people read: the report, the model card and explained accounts."""
