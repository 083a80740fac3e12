"""Gates of runs on this machine: `standing` is what a run leaves for the commands, `here` is what they do with it."""
