"""What several tests share: made-up data, running servers, bodies and files. Nothing here is a test."""
