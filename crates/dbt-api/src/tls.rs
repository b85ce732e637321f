//! TLS of all connections: the system's certificates, more from the settings, HTTP/2 where the server has it.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

use crate::BuildError;

/// Read once for all clients: it reads the system's certificates from disk.
///
/// # Panics
/// If the process has not installed a crypto provider.
pub(crate) fn config(extra_roots: Option<&str>) -> Result<ClientConfig, BuildError> {
    #[expect(clippy::expect_used, reason = "documented at DbtWrappedApi::new")]
    let provider = CryptoProvider::get_default().expect("a rustls crypto provider is installed");
    let roots = extra_roots.map(certificates).transpose()?.unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(provider)).map_err(|error| match extra_roots {
        Some(_) => BuildError::ExtraRoots(error.into()),
        None => BuildError::Client(error.into()),
    })?;
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Client(error.into()))?
        .dangerous() // "dangerous" is any verifier but the built-in one
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug, thiserror::Error)]
#[error("no certificate in it (expected PEM: -----BEGIN CERTIFICATE-----)")]
struct NoCertificate;

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(BuildError::ExtraRoots(NoCertificate.into())),
        Ok(found) => Ok(found),
        Err(error) => Err(BuildError::ExtraRoots(error.into())),
    }
}
