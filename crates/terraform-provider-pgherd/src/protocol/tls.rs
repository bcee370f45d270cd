//! TLS with whoever started us and nobody else: both sides show the one certificate that the other was told of.
//!
//! rustls' own check of clients cannot be used: go-plugin's certificate is an authority and stands for itself, which is refused as
//! such. So it is compared byte for byte with the one in the environment, and the handshake proves that its key is there.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

/// Our side of it.
#[derive(Debug, Clone)]
pub struct Tls {
    /// How to accept.
    pub config: Arc<ServerConfig>,
    /// Our certificate, as the handshake's line says it.
    pub certificate: String,
}

/// Accepts the client that has this certificate (PEM) alone.
pub fn accepting(client: &str) -> Result<Tls, String> {
    let client = CertificateDer::from_pem_slice(client.as_bytes())
        .map_err(|error| format!("the client's certificate cannot be read: {error}"))?;
    let made = KeyPair::generate().and_then(|key| {
        // Go looks for a name, and this is the one that go-plugin asks for.
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?;
        Ok((certificate.der().clone(), key.serialize_der()))
    });
    let (certificate, key) = made.map_err(|error| format!("a certificate cannot be made: {error}"))?;
    let key = PrivateKeyDer::Pkcs8(key.into());
    let crypto = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&crypto))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| {
            builder
                .with_client_cert_verifier(Arc::new(Pinned { client, crypto }))
                .with_single_cert(vec![certificate.clone()], key)
        });
    let mut config = config.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Tls { config: Arc::new(config), certificate: STANDARD_NO_PAD.encode(&certificate) })
}

#[derive(Debug)]
struct Pinned {
    client: CertificateDer<'static>,
    crypto: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *shown == self.client {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
