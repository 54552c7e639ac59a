use fly_rpc::region_rpc;

#[region_rpc(@region("hong kong"))]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
