"""The certificate and key that the settings name, looked at before anything is started."""

from __future__ import annotations

import ssl

from turret_pipeline.settings import SettingError, Settings


def check_tls(settings: Settings) -> None:
    """Raise `SettingError` if `TURRET_TLS_CERT` and `TURRET_TLS_KEY` are set and their files cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    for variable, path, what in (
        ("TURRET_TLS_CERT", settings.tls_cert, b"CERTIFICATE"),
        ("TURRET_TLS_KEY", settings.tls_key, b"PRIVATE KEY"),
    ):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SettingError(f"{variable}: {path} cannot be read: {error.strerror}") from error
        if what + b"-----" not in content:
            raise SettingError(f"{variable}: {path} holds no {what.decode().lower()} in PEM format")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # With a password at hand OpenSSL asks nobody for one.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        why = "the key is not that of the certificate" if mismatch else f"OpenSSL says {error.reason or error}"
        raise SettingError(
            f"TURRET_TLS_CERT ({settings.tls_cert}) and TURRET_TLS_KEY ({settings.tls_key}) cannot be used together: "
            f"{why}; expected a certificate (chain) and its key, both in PEM format, the key without a password"
        ) from error
