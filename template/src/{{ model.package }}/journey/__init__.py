"""Development only: each request is recorded as it travels. Without this folder the service works the same."""
