raise KeyError, "no table"
