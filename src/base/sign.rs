//! Signing with keys that others gave us: for tokens that prove who asks (RFC 7515, RFC 7518) and for signed assertions.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;

use super::Secret;

/// How a signature is made, by its name in RFC 7518 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256, by a shared secret.
    HS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    PS256,
    /// ECDSA on P-256 with SHA-256; the signature is the two numbers one after the other.
    ES256,
}

impl Algorithm {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
        }
    }
}

/// A key that cannot be used. The text never shows the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSigningKey {
    /// There is no readable PEM.
    #[error("is no private key in PEM (-----BEGIN PRIVATE KEY-----), or it has a password")]
    NoPem,
    /// The key is of another kind than the algorithm needs.
    #[error("is no {0} key: RS256 and PS256 need RSA of 2048 bits or more, ES256 needs EC on P-256")]
    WrongKind(&'static str),
    /// There is no readable certificate.
    #[error("is no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The key was read but cannot sign.
    #[error("cannot sign")]
    CannotSign,
}

/// A key that signs.
pub struct SigningKey {
    algorithm: Algorithm,
    key: Kind,
}

enum Kind {
    Shared(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.name())
    }
}

/// The line breaks of a PEM that went through a form or a JSON file.
fn unfold(pem: &str) -> String {
    pem.replace("\\r", "").replace("\\n", "\n")
}

impl SigningKey {
    /// A shared secret, for [`Algorithm::HS256`].
    #[must_use]
    pub fn shared(secret: &Secret) -> Self {
        Self {
            algorithm: Algorithm::HS256,
            key: Kind::Shared(Box::new(hmac::Key::new(
                hmac::HMAC_SHA256,
                secret.expose().as_bytes(),
            ))),
        }
    }

    /// A private key in PEM: PKCS#8, PKCS#1 or SEC 1. Line breaks may be written as `\n`.
    ///
    /// # Errors
    /// When it cannot be read or does not fit the algorithm.
    pub fn from_pem(algorithm: Algorithm, pem: &Secret) -> Result<Self, BadSigningKey> {
        let der = PrivateKeyDer::from_pem_slice(unfold(pem.expose()).as_bytes())
            .map_err(|_| BadSigningKey::NoPem)?;
        let wrong = BadSigningKey::WrongKind(algorithm.name());
        let key = match (algorithm, &der) {
            (Algorithm::RS256 | Algorithm::PS256, PrivateKeyDer::Pkcs8(der)) => {
                RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map(|pair| Kind::Rsa(Box::new(pair)))
            }
            (Algorithm::RS256 | Algorithm::PS256, PrivateKeyDer::Pkcs1(der)) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).map(|pair| Kind::Rsa(Box::new(pair)))
            }
            (Algorithm::ES256, PrivateKeyDer::Pkcs8(der)) => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der())
                    .map(|pair| Kind::Ec(Box::new(pair)))
            }
            (Algorithm::ES256, PrivateKeyDer::Sec1(der)) => {
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_sec1_der())
                    .map(|pair| Kind::Ec(Box::new(pair)))
            }
            _ => return Err(wrong),
        };
        Ok(Self {
            algorithm,
            key: key.map_err(|_| wrong)?,
        })
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The signature of `message`.
    ///
    /// # Errors
    /// When the machine has no randomness or the key is broken.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BadSigningKey> {
        match &self.key {
            Kind::Shared(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Kind::Rsa(pair) => {
                let way: &'static dyn RsaEncoding = if self.algorithm == Algorithm::PS256 {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(way, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| BadSigningKey::CannotSign)?;
                Ok(signature)
            }
            Kind::Ec(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| BadSigningKey::CannotSign),
        }
    }
}

/// The bytes of a certificate in PEM.
///
/// # Errors
/// When there is none.
pub fn certificate(pem: &str) -> Result<Vec<u8>, BadSigningKey> {
    CertificateDer::from_pem_slice(unfold(pem).as_bytes())
        .map(|der| der.to_vec())
        .map_err(|_| BadSigningKey::NoCertificate)
}
