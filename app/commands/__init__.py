"""What the `normascope` command does, one file a command. Qt is imported only by the commands that open a window."""
