"""Sources that come with the package: one folder a system."""
