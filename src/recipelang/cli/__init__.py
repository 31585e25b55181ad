"""The command, one verb a file; knows how to show things to a person, and leaves the work to the rooms below."""
