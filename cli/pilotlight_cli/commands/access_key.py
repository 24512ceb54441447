"""`pilotlight access-key`: the Secret of a new access key, with a policy that has been read.

It is written here and applied by who may (`kubectl apply -f -`): no account makes its own keys.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import click
import yaml

from pilotlight.access_key_secret import POLICY, check_access_key
from pilotlight.errors import InvalidResourceError
from pilotlight.names import ACCESS_KEY_LABEL
from pilotlight.resources import ObjectMeta, Secret

from ..failures import Failure
from ..options import output_option
from ..output import Format, emit_json

__all__ = ["command"]

_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@click.command("access-key")
@click.argument("name")
@click.option(
    "--account-namespace", required=True, metavar="NAMESPACE", help="The account that it is for."
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with IAM's JSON of what it may do; without it, everything in its account.",
)
@click.option(
    "--namespace", default="pilotlight", show_default=True, help="The release's namespace."
)
@output_option
def command(
    name: str, account_namespace: str, policy: Path | None, namespace: str, output: Format
) -> None:
    """Print the manifest of a new access key's Secret.

    Such as: pilotlight access-key ci --account-namespace functions --policy invoke.json |
    kubectl apply -f -
    """
    data = {
        "accessKeyId": "AKIA" + "".join(secrets.choice(_ID_LETTERS) for _ in range(16)),
        "secretAccessKey": secrets.token_urlsafe(30),
        "namespace": account_namespace,
    }
    try:
        if policy is not None:
            data[POLICY] = policy.read_text(encoding="utf-8")
        labels = {ACCESS_KEY_LABEL: "true"}
        metadata = ObjectMeta(name=name, namespace=namespace, labels=labels)
        check_access_key(Secret(metadata=metadata, string_data=data))
    except (InvalidResourceError, UnicodeDecodeError) as error:
        raise Failure.of(InvalidResourceError(f"{policy}: {error}")) from error
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "stringData": data,
    }
    if output == "json":
        emit_json(manifest)
    else:
        click.echo(yaml.safe_dump(manifest, sort_keys=False), nl=False)
