"""The HTTP side of the service: its door, its connections, who may ask and how often, its pages, its life."""
