"""Registries of container images: what a reference means, and what they say of an image."""

from .client import Registries, RegistryError, RegistryUnreachableError
from .image import ImageDescription
from .reference import Reference

__all__ = [
    "ImageDescription",
    "Reference",
    "Registries",
    "RegistryError",
    "RegistryUnreachableError",
]
