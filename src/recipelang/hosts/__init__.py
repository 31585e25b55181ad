"""The doors for programs that embed recipelang; knows nothing of the terminal."""
