"""Connect to a Ray cluster."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from snapseek.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


def connected(address: str | None, environment: Mapping[str, str] | None = None) -> Any:
    """Return the module `ray`, connected to the cluster at `address`, else to one on this machine.

    `environment` are variables of the processes that this connection starts. Raises InputError without Ray.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray

        ray.init  # noqa: B018 (a folder of that name in the current directory is imported as a module, too)
    except (ImportError, AttributeError) as error:
        raise InputError(
            expected="Ray", got="none", hint='install it with: pip install "snapseek[ray]"'
        ) from error
    if not ray.is_initialized():
        ray.init(
            address=address,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": dict(environment)} if environment else None,
        )
    return ray
