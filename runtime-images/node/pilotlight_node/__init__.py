"""The managed Node.js runtime: JavaScript, which the agent starts by its path and never imports.

`index.mjs` is where it begins. This file makes it a package, so that it comes with a wheel.
"""
