"""Certificates for sockets that aren't requests': the same ones that requests trusts."""

from __future__ import annotations

import os
import ssl

import certifi


def tls_context() -> ssl.SSLContext:
    """Trusts the system's certificates and those of `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, or
    certifi: some Pythons come without the system's.

    Raises:
        OSError: the bundle that the environment names can't be read.
    """
    context = ssl.create_default_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle and os.path.isdir(bundle):
        context.load_verify_locations(capath=bundle)
    else:
        context.load_verify_locations(cafile=bundle or certifi.where())
    return context
