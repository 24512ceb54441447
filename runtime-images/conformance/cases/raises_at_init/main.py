raise KeyError("no table")
