//! Every spelling of `call!` means the stub that it names.

use fly_rpc::{Call, NodeId, Region, Target, call, region_rpc};

mod posts {
    use fly_rpc::region_rpc;

    #[region_rpc]
    pub(super) fn length(text: &str) -> usize {
        text.len()
    }

    #[region_rpc(@region("hkg"))]
    pub(super) fn in_hong_kong() {}
}

#[region_rpc]
async fn r#type() {}

fn main() {
    let text = String::from("fly");
    let id = String::from("9080524f610d87");
    let calls: [Call<'_, usize>; 12] = [
        call!(posts::length(&text) @primary),
        call!(posts::length(&text,) @region("hkg")),
        call!(self::posts::length(&text) @region(Region::from("hkg"))),
        call!(posts::length(&text) @region(format!("hk{}", 'g'))),
        call!(posts::length(&text) @node("9080524f610d87")),
        call!(posts::length(&text) @node(id)),
        call!(posts::length(&text) @node(NodeId::from("9080524f610d87"))),
        call!(posts::length(&text) @nearest),
        call!(posts::length(&text) @elsewhere),
        call!(posts::length(&text) @any),
        call!(posts::length(&text) @(Target::Any)),
        call!(posts::length(&text) @("hkg")),
    ];
    drop(calls);
    drop(call!(r#type() @primary));
    drop(posts::in_hong_kong_on_hkg());
}
