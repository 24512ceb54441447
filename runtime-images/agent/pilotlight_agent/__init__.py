"""The process in a pod that supervises its execution environments; standard library only."""
