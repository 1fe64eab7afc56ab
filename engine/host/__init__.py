"""The process that keeps models warm and works the job queue."""
