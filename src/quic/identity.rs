//! Who a node is: a certificate authority that follows from the secret, and a leaf per life.
//!
//! Every node derives the same authority, byte for byte, from the cluster's secret, and signs
//! itself a leaf that names its [`NodeId`]. Addresses never matter: all leaves bear one fixed name.
//! Dates are wide, for clocks may be wrong.

use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SerialNumber, date_time_ymd,
};
use ring::{hkdf, hmac};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::config::Secret;
use super::error::TransportError;
use crate::units::NodeId;

/// The name every leaf bears, whatever its address.
pub(super) const SERVER_NAME: &str = "node.distributary";

/// Separates this use of the secret from any other.
const SALT: &[u8] = b"distributary transport 1";

/// An Ed25519 private key in PKCS #8, up to the 32 bytes of its seed.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// One life's certificate and key, and the authority that peers must be signed by.
pub(super) struct Identity {
    /// The authority, the same on every node.
    pub(super) authority: CertificateDer<'static>,
    /// This life's leaf.
    pub(super) leaf: CertificateDer<'static>,
    /// The leaf's private key.
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Derives the authority and signs a leaf for `node`.
    pub(super) fn new(secret: &Secret, node: NodeId) -> Result<Self, TransportError> {
        Self::issue(secret, node).map_err(|error| TransportError::Identity(error.to_string()))
    }

    fn issue(secret: &Secret, node: NodeId) -> Result<Self, rcgen::Error> {
        let authority_key = authority_key(secret)?;
        let params = authority_params();
        let authority = params.self_signed(&authority_key)?;
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let leaf = leaf_params(node)?.signed_by(&key, &issuer)?;
        Ok(Self {
            authority: authority.der().clone(),
            leaf: leaf.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }
}

/// The id that a (verified) leaf was issued for.
pub(super) fn node_of_leaf(leaf: &CertificateDer<'_>) -> Option<NodeId> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(node_of_name)
}

fn node_of_name(name: &GeneralName<'_>) -> Option<NodeId> {
    let GeneralName::DNSName(name) = name else {
        return None;
    };
    let digits = name.strip_suffix(SERVER_NAME)?.strip_suffix('.')?;
    if digits.len() != 16 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().map(NodeId)
}

/// A key for QUIC's stateless resets that outlives a restart: a killed process's successor at the
/// same address can say so, instead of leaving its peers to their idle timeout.
pub(super) fn reset_key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derive(secret, b"stateless reset"))
}

fn authority_key(secret: &Secret) -> Result<KeyPair, rcgen::Error> {
    let mut pkcs8 = PKCS8_PREFIX.to_vec();
    pkcs8.extend_from_slice(&derive(secret, b"authority"));
    KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8))
}

fn derive(secret: &Secret, purpose: &[u8]) -> [u8; 32] {
    let mut derived = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
        .extract(secret.bytes())
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(&mut derived))
        .expect("32 bytes are one block of HKDF-SHA256");
    derived
}

fn authority_params() -> CertificateParams {
    let mut params = dated_params("distributary cluster");
    params.serial_number = Some(SerialNumber::from(1));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params(node: NodeId) -> Result<CertificateParams, rcgen::Error> {
    let named = format!("{node}.{SERVER_NAME}");
    let mut params = dated_params(&node.to_string());
    params.subject_alt_names =
        CertificateParams::new(vec![SERVER_NAME.to_owned(), named])?.subject_alt_names;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}

fn dated_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(1975, 1, 1);
    params.not_after = date_time_ymd(4096, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(secret: &str, node: u64) -> Identity {
        Identity::new(&Secret::new(secret), NodeId(node)).expect("an identity can be made")
    }

    #[test]
    fn every_node_derives_the_same_authority() {
        let (one, other) = (
            identity("one secret, shared", 1),
            identity("one secret, shared", 2),
        );
        assert_eq!(one.authority, other.authority);
        assert_ne!(one.leaf, other.leaf);
        assert_ne!(
            one.authority,
            identity("another secret, not shared", 1).authority
        );
    }

    #[test]
    fn a_leaf_names_its_node_and_an_authority_names_none() {
        let identity = identity("one secret, shared", 0x0123_4567_89ab_cdef);
        assert_eq!(
            node_of_leaf(&identity.leaf),
            Some(NodeId(0x0123_4567_89ab_cdef))
        );
        assert_eq!(node_of_leaf(&identity.authority), None);
        assert_eq!(node_of_leaf(&CertificateDer::from(vec![1, 2, 3])), None);
    }

    #[test]
    fn only_sixteen_digits_are_an_id() {
        for name in [
            "node.distributary",
            "+123456789abcdef.node.distributary",
            "1.node.distributary",
        ] {
            assert_eq!(node_of_name(&GeneralName::DNSName(name)), None, "{name}");
        }
    }
}
