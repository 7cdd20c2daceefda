"""What the service is measured against; each module is a program of its own."""
