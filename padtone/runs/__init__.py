"""What a command or a batch was asked for, kept so that it can be made again."""
