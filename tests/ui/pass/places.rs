//! An annotated function may stand wherever an item may, and have any name.

use fly_rpc::{Call, region_rpc};

trait Length {
    fn length(&self) -> usize;
}

impl Length for str {
    fn length(&self) -> usize {
        #[region_rpc]
        fn in_a_method(text: &str) -> usize {
            #[region_rpc(@primary)]
            fn in_a_function(text: &str, #[state] _unit: &()) -> usize {
                text.len()
            }
            drop(in_a_function_on_primary(text));
            in_a_function(text, &())
        }
        drop(in_a_method_on("hkg", self));
        in_a_method(self)
    }
}

#[region_rpc]
async fn same(same: &str, target: String, region: u8, scope: &[u8], args: &[u16]) -> usize {
    same.len() + target.len() + usize::from(region) + scope.len() + args.len()
}

#[region_rpc]
fn same_on_primary_too(same_on: u8) -> u8 {
    same_on
}

macro_rules! annotated {
    ($($name:ident: $type:ty),*) => {
        $(#[region_rpc] fn $name(value: &$type, option: Option<&str>) -> usize {
            option.map_or(value.length(), str::len)
        })*
    };
}

annotated!(through_a_macro: str);

fn outlives_its_owned_arguments() -> Call<'static, u8> {
    same_on_primary_too_on_region("hkg", 1)
}

fn main() {
    drop(same_on("hkg", "", String::new(), 0, &[], &[]));
    drop(through_a_macro_on_primary("fly", None));
    drop(outlives_its_owned_arguments());
    assert_eq!("fly".length(), 3);
}
