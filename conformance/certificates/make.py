#!/usr/bin/env python3
"""Makes the certificates beside it anew: for tests alone, their keys are public.

Needs the package `cryptography`.
"""

from datetime import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LONG = (datetime(2020, 1, 1), datetime(2120, 1, 1))


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def save(path, *parts):
    with open(path, "wb") as file:
        file.write(b"".join(parts))


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def new_key(path=None):
    key = ec.generate_private_key(ec.SECP256R1())
    if path:
        save(path, key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ))
    return key


def authority(path, text):
    key = new_key()
    builder = (
        x509.CertificateBuilder().subject_name(name(text)).issuer_name(name(text))
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(LONG[0]).not_valid_after(LONG[1])
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256())
    save(path, pem(certificate))
    return certificate, key


def leaf(path, issuer, key, text, names, usage, valid=LONG):
    authority, signer = issuer
    builder = (
        x509.CertificateBuilder().subject_name(name(text)).issuer_name(authority.subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(valid[0]).not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    save(path, pem(builder.sign(signer, hashes.SHA256())))


SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
own = authority("ca.pem", "Rocketry test authority")
other = authority("other-ca.pem", "Rocketry other test authority")
server, client = new_key("server-key.pem"), new_key("client-key.pem")
HERE = [
    x509.DNSName("localhost"),
    x509.DNSName("broker.test"),
    x509.IPAddress(ip_address("127.0.0.1")),
    x509.IPAddress(ip_address("::1")),
]
leaf("server.pem", own, server, "broker.test", HERE, SERVER)
leaf("other-name.pem", own, server, "other.test", [x509.DNSName("other.test")], SERVER)
leaf("expired.pem", own, server, "expired", HERE, SERVER, (datetime(2001, 1, 1), datetime(2002, 1, 1)))
leaf("future.pem", own, server, "future", HERE, SERVER, (datetime(2110, 1, 1), datetime(2120, 1, 1)))
leaf("client.pem", own, client, "client", [x509.DNSName("client.test")], CLIENT)
leaf("stranger.pem", other, client, "stranger", [x509.DNSName("client.test")], CLIENT)
