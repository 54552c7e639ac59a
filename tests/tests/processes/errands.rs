//! The calls that only a test makes, while it does something to the process that runs them.

use fly_rpc::Node;
use fly_rpc_tests::history::Outcome;

use crate::desk::{Answer, Desk, Order, argument, hold_on, linger_on, report_on};

impl Desk {
    /// Has something done that takes its time.
    pub(crate) async fn linger(&self, node: &Node, order: &Order, millis: u32) -> Outcome {
        let made = async |call| -> Answer {
            let made = linger_on(&order.target, call, millis).via(node);
            Ok(order.make(made).await?.is(call, &[]))
        };
        self.journal.call("linger@1", &order.target, made).await
    }

    /// Has something begun that is not ended.
    pub(crate) async fn hold(&self, node: &Node, order: &Order) -> Outcome {
        let made = async |call| -> Answer {
            let made = hold_on(&order.target, call).via(node);
            Ok(order.make(made).await?.is(call, &[]))
        };
        self.journal.call("hold@1", &order.target, made).await
    }

    /// Has something done that the other end announces, and whose answer is as large as is ordered.
    pub(crate) async fn report(&self, node: &Node, order: &Order) -> Outcome {
        let bytes = u32::try_from(order.bytes).expect("a size that can be sent");
        let made = async |call| -> Answer {
            let made = report_on(&order.target, call, bytes).via(node);
            Ok(order.make(made).await? == argument(call, order.bytes))
        };
        self.journal.call("report@1", &order.target, made).await
    }
}
