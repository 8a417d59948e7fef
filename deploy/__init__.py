"""What sets the project up and brings it to a server."""
