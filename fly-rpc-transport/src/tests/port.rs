//! That the port of an endpoint is free once that is closed.

use std::net::UdpSocket;

use tokio::task::JoinSet;

use super::fixture::Fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_is_free_at_once_even_if_many_connections_are_still_closing() {
    let (endpoint, _) = Fixture::new().endpoint("here");
    // Whoever has never answered is awaited for three probe timeouts of the first handshake's: seconds.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound");
    let mut dials = JoinSet::new();
    for _ in 0..DIALS {
        let endpoint = endpoint.clone();
        dials.spawn(async move { endpoint.dial(address, None).await });
    }
    let begun = tokio::task::spawn_blocking(move || {
        for _ in 0..DIALS {
            silent.recv(&mut [0; 2048]).expect("a datagram");
        }
        silent
    });
    let _silent = begun.await.expect("no panic");
    let port = endpoint.local_addr();
    endpoint.close().await;
    let again = UdpSocket::bind(port);
    assert!(again.is_ok(), "{again:?}");
}

const DIALS: usize = 100;
