"""The commands, one a module; `main` imports a module when its command runs."""
