"""The one place where the version number stands, and what a record says of the versions that made it."""

__version__ = "0.1.0"


def versions() -> dict[str, str]:
    """Versions of Python, this package and what it computes with."""
    # here, not above: they cost the command line a start-up that shows no version
    import platform
    from importlib.metadata import version

    parts = ("numpy", "scipy", "scikit-learn", "pandas", "skops")
    return {"transfermap": __version__, "python": platform.python_version()} | {p: version(p) for p in parts}
