"""The managed Ruby runtime: Ruby, which the agent starts by its path and never imports.

`main.rb` is where it begins. This file makes it a package, so that it comes with a wheel.
"""
