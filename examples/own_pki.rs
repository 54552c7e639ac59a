//! Certificates of one's own PKI instead of a cluster secret: who has none of ours stays outside,
//! until it gets one.
//!
//! `cargo run --example own_pki`
//!
//! Here the authorities live for as long as the program. Where certificates are files,
//! `Identity::from_pem_files` reads them and `reload()` reads them again.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{bail, ensure};
use fly_rpc::{CallContext, Executed, Identity, Node, StartError, region_rpc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType,
    ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth},
    IsCa, Issuer, KeyPair,
};

/// The caller's name is proved by its certificate.
#[region_rpc]
fn who_am_i(#[context] context: &CallContext) -> String {
    context.caller().to_string()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let ours = Authority::new("Our PKI")?;
    let theirs = Authority::new("Their PKI")?;

    let (chain, key) = ours.issue("syd-1")?;
    let member = Identity::from_pem(&chain, &key, &ours.root)?;
    let syd = start("syd", member, None).await?;
    let door = syd.local_addr().to_string();

    let (chain, key) = ours.issue("hkg-1")?;
    let member = Identity::from_pem(&chain, &key, &ours.root)?;
    let hkg = start("hkg", member, Some(&door)).await?;
    let name = who_am_i_on_region("syd").via(&hkg).await?;
    println!("hkg is let in as {name}");
    ensure!(name == "hkg-1");

    // A stranger: it trusts our authority too, but its certificate is from another one.
    let (chain, key) = theirs.issue("lax-1")?;
    let both = [ours.root.as_slice(), &theirs.root].concat();
    let stranger = Identity::from_pem(&chain, &key, &both)?;
    let lax = start("lax", stranger.clone(), Some(&door)).await?;
    let Err(error) = who_am_i_on_region("syd").via(&lax).await else {
        bail!("a certificate of another authority was accepted")
    };
    println!("lax is refused: {error}");
    ensure!(error.executed() == Executed::No);
    ensure!(syd.region_nodes("lax").is_empty());

    // It gets one of ours, under the same name. The next connection presents it; no node restarts.
    let (chain, key) = ours.issue("lax-1")?;
    stranger.replace_pem(&chain, &key, &ours.root)?;
    let name = who_am_i_on_region("syd").wait_ready().via(&lax).await?;
    println!("lax is let in as {name}");
    ensure!(name == "lax-1");

    for node in [lax, hkg, syd] {
        node.shutdown().await;
    }
    Ok(())
}

async fn start(region: &str, id: Identity, peer: Option<&String>) -> Result<Node, StartError> {
    // With an identity a node listens to the whole network by default; an example stays at home.
    let home = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Node::builder()
        .region(region)
        .identity(id)
        .bind(home)
        .peers(peer)
        .start()
        .await
}

/// Signs the certificates of nodes.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate as PEM.
    root: Vec<u8>,
}

impl Authority {
    fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let root = params.self_signed(&key)?.pem().into_bytes();
        Ok(Self {
            issuer: Issuer::new(params, key),
            root,
        })
    }

    /// A node's certificate and its key, as PEM. The certificate has one name, which says the
    /// node's id, and is that of a client and of a server.
    fn issue(&self, node: &str) -> Result<(Vec<u8>, Vec<u8>), rcgen::Error> {
        let mut params = CertificateParams::new([format!("{node}.fly-rpc.invalid")])?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![ClientAuth, ServerAuth];
        let key = KeyPair::generate()?;
        let chain = params.signed_by(&key, &self.issuer)?.pem();
        Ok((chain.into_bytes(), key.serialize_pem().into_bytes()))
    }
}
