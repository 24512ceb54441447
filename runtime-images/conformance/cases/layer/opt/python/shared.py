told = "from a layer"
