//! A link whose calls do not wait for the other end's hello (PROTOCOL.md, *Calls behind the hello*).
//!
//! It is made from what is said of that node, or what its certificate says. Nobody finds it in the table of
//! links before the hello has come: only those who had it dialled.

use std::sync::{Arc, atomic::Ordering};

use quinn::ConnectionError;

use super::Link;
use crate::{
    close::CloseCode,
    control::ControlReader,
    handshake::{DialError, Unheard},
    lock::write,
    wire::Hello,
};

impl Link {
    /// What the other end said first. Until [`introduced`](Self::introduced), what was said of it.
    pub fn hello(&self) -> &Hello {
        match self.heard.get() {
            Some(Ok(heard)) => heard,
            _ => &self.hello,
        }
    }

    /// True if the other end has said hello.
    pub fn is_introduced(&self) -> bool {
        self.progress.now().introduced
    }

    /// Waits until the other end has said hello; false if the connection ended instead.
    pub async fn introduced(&self) -> bool {
        self.until(|progress| progress.introduced || progress.closed)
            .await;
        self.is_introduced()
    }

    /// Why it was not introduced.
    pub(crate) fn failure(&self) -> DialError {
        match self.heard.get() {
            Some(Err(error)) => error.clone(),
            _ => DialError::Gone,
        }
    }

    /// True if the other end closed the connection before it served anything: it is another than it
    /// was taken for, or does not take this node.
    pub fn was_turned_away(&self) -> bool {
        !self.is_introduced()
            && match self.connection.close_reason() {
                // In TLS 1.3 the dialler may speak before its own certificate was judged.
                Some(ConnectionError::ConnectionClosed(close)) => {
                    TLS_ALERTS.contains(&close.error_code.into())
                }
                _ => self
                    .close_code()
                    .is_some_and(CloseCode::comes_before_serving),
            }
    }

    /// Hears the other end's hello and joins; false if that came to nothing and the connection is
    /// closed.
    pub(super) async fn meet(
        self: &Arc<Self>,
        unheard: Unheard,
        control: &mut ControlReader,
        join: impl FnOnce(&Arc<Self>),
    ) -> bool {
        let heard = unheard
            .hear_in_time(control, &self.connection, &self.limits)
            .await;
        let heard = match heard {
            Ok(heard) => heard,
            Err(error) => {
                tracing::debug!(peer = %self.node(), %error, "a node is not what it was taken for");
                let _ = self.heard.set(Err(error));
                return false;
            }
        };
        let mut hello = heard.hello;
        hello.catalogue = self.catalogues.keep(hello.catalogue);
        *write(&self.catalogue) = Arc::clone(&hello.catalogue);
        self.views.hear_first(hello.view.clone());
        self.peer_is_draining
            .store(hello.draining, Ordering::Relaxed);
        if let Some(untold) = heard.untold {
            self.control.send(&untold);
        }
        // It is set once, here or above.
        let _ = self.heard.set(Ok(hello));
        join(self);
        self.progress
            .send_modify(|progress| progress.introduced = true);
        true
    }
}

/// Error codes of QUIC that carry an alert of TLS (RFC 9001 §4.8). After the handshake TLS has none
/// to send.
const TLS_ALERTS: std::ops::RangeInclusive<u64> = 0x100..=0x1ff;
