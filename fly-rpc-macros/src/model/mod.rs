//! What is generated from: the function with each parameter classified, and proved to be one of the kinds below.

mod argument;
mod provided;

use syn::{Attribute, Error, FnArg, Ident, ReturnType, Type, parse_quote};

use crate::errors::Errors;
use crate::item::Item;
use crate::model::provided::Marker;
use crate::types::{self, Place};

pub(crate) use argument::{Argument, Kind};
pub(crate) use provided::{State, is_marker};

/// A function that can be called from another node.
pub(crate) struct Model {
    /// The function's name.
    pub(crate) ident: Ident,
    /// Whether the call is to be awaited.
    pub(crate) is_async: bool,
    /// All parameters, in order.
    pub(crate) parameters: Vec<Parameter>,
    /// What it returns.
    pub(crate) output: Type,
}

/// Where a parameter's value comes from.
pub(crate) enum Parameter {
    /// From the caller.
    Argument(Argument),
    /// From `NodeBuilder::state`.
    State(State),
    /// From the call itself.
    Context,
}

impl Model {
    /// Classifies the parameters and the return type; `None` if one of them cannot be, which `errors` then tells.
    pub(crate) fn read(item: &Item, errors: &mut Errors) -> Option<Self> {
        let inputs = item.sig.inputs.iter();
        let parameters: Vec<_> = inputs
            .map(|input| errors.keep(Parameter::read(input)))
            .collect();
        let output = errors.keep(output(&item.sig.output));
        Some(Self {
            ident: item.sig.ident.clone(),
            is_async: item.sig.asyncness.is_some(),
            parameters: parameters.into_iter().collect::<Option<_>>()?,
            output: output?,
        })
    }

    /// The parameters that travel.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.parameters
            .iter()
            .filter_map(|parameter| match parameter {
                Parameter::Argument(argument) => Some(argument),
                Parameter::State(_) | Parameter::Context => None,
            })
    }

    /// The parameters that `NodeBuilder::state` fills in.
    pub(crate) fn states(&self) -> impl Iterator<Item = &State> {
        self.parameters
            .iter()
            .filter_map(|parameter| match parameter {
                Parameter::State(state) => Some(state),
                Parameter::Argument(_) | Parameter::Context => None,
            })
    }

    /// How many arguments a caller lends until its call is over.
    pub(crate) fn loans(&self) -> usize {
        let lent = |argument: &&Argument| !matches!(argument.kind, Kind::Owned(_));
        self.arguments().filter(lent).count()
    }
}

impl Parameter {
    fn read(input: &FnArg) -> syn::Result<Self> {
        let parameter = match input {
            FnArg::Typed(parameter) => parameter,
            FnArg::Receiver(receiver) => {
                return Err(Error::new(
                    receiver.self_token.span,
                    "`self` cannot travel; make this a free function that takes what it needs as arguments or \
                     as `#[state]`",
                ));
            }
        };
        no_conditions(&parameter.attrs)?;
        match Marker::read(&parameter.attrs)? {
            Some(Marker::State) => State::read(parameter).map(Self::State),
            Some(Marker::Context) => provided::context(&parameter.ty).map(|()| Self::Context),
            None => Argument::read(parameter).map(Self::Argument),
        }
    }
}

fn output(output: &ReturnType) -> syn::Result<Type> {
    let ReturnType::Type(_, ty) = output else {
        return Ok(parse_quote!(()));
    };
    types::owned(ty, Place::Return)?;
    Ok(ty.as_ref().clone())
}

/// Refuses `#[cfg]`: both nodes must agree on the parameters.
fn no_conditions(attrs: &[Attribute]) -> syn::Result<()> {
    let conditional =
        |attr: &&Attribute| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr");
    match attrs.iter().find(conditional) {
        Some(attr) => Err(Error::new_spanned(
            attr,
            "callers and servers must agree on the parameters; put the condition on the whole function",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::{Kind, Model, Parameter};
    use crate::errors::Errors;
    use crate::item::Item;

    fn read(function: TokenStream) -> Result<Model, Vec<String>> {
        let mut errors = Errors::default();
        let item = Item::read(function).unwrap();
        Model::read(&item, &mut errors).ok_or_else(|| errors.messages())
    }

    fn describe(ty: TokenStream) -> String {
        let model = read(quote!(fn f(a: #ty) {})).map_err(|errors| errors.concat());
        match model.map(|model| model.parameters.into_iter().next()) {
            Ok(Some(Parameter::Argument(argument))) => match argument.kind {
                Kind::Owned(ty) => format!("owned {}", quote!(#ty)),
                Kind::Str(ty) => format!("str {}", quote!(#ty)),
                Kind::Bytes(ty) => format!("bytes {}", quote!(#ty)),
                Kind::OptionalStr(path, ty) => format!("option {} {}", quote!(#path), quote!(#ty)),
                Kind::Slice(ty) => format!("slice {}", quote!(#ty)),
                Kind::Reference(ty) => format!("reference {}", quote!(#ty)),
            },
            Ok(_) => "no argument".to_owned(),
            Err(error) => error,
        }
    }

    #[test]
    fn every_kind_of_argument_is_recognised() {
        for (ty, kind) in [
            (quote!(u64), "owned u64"),
            (quote!((u8, Vec<String>)), "owned (u8 , Vec < String >)"),
            (quote!(&str), "str str"),
            (quote!((&(str))), "str str"),
            (quote!(&[u8]), "bytes [u8]"),
            (quote!(Option<&str>), "option Option str"),
            (
                quote!(::core::option::Option<&str>),
                "option :: core :: option :: Option str",
            ),
            (quote!(&[Post]), "slice Post"),
            (quote!(&Vec<u8>), "reference Vec < u8 >"),
            (quote!(&[u8; 4]), "reference [u8 ; 4]"),
            (quote!(Option<String>), "owned Option < String >"),
            (
                quote!(PhantomData<fn(&u8) -> &u8>),
                "owned PhantomData < fn (& u8) -> & u8 >",
            ),
        ] {
            assert_eq!(describe(ty), kind);
        }
    }

    #[test]
    fn a_type_that_borrows_inside_is_refused() {
        for ty in [
            quote!(Vec<&str>),
            quote!((&str, u8)),
            quote!(Option<&u8>),
            quote!(Option<Option<&str>>),
            quote!(&&str),
            quote!(&[&str]),
            quote!(&Option<&str>),
            quote!(Cow<'_, str>),
            quote!(&Cow<'static, str>),
        ] {
            let kind = describe(ty.clone());
            assert!(kind.contains("a borrow inside of a type"), "{ty}: {kind}");
        }
    }

    #[test]
    fn what_is_not_one_type_is_refused() {
        assert!(describe(quote!(impl Copy)).contains("name the type"));
        assert!(describe(quote!(&impl Copy)).contains("name the type"));
        assert!(describe(quote!(Vec<impl Copy>)).contains("name the type"));
        assert!(describe(quote!(Vec<_>)).contains("name the type"));
        assert!(describe(quote!(Box<dyn Copy>)).contains("trait object"));
    }

    #[test]
    fn references_are_elided_and_shared() {
        assert!(describe(quote!(&'static str)).contains("`'static`"));
        assert!(describe(quote!(Option<&'static str>)).contains("`'static`"));
        assert!(describe(quote!(&mut u8)).contains("changes do not travel"));
        assert!(describe(quote!(Option<&mut str>)).contains("changes do not travel"));
    }

    #[test]
    fn the_node_fills_in_what_is_marked() {
        let model = read(quote! {
            async fn f(#[state] a: &Db, mut b: u8, #[state] c: std::sync::Arc<Db>,
                #[context] d: &fly_rpc::CallContext) {}
        });
        let model = model.map_err(|errors| errors.concat()).unwrap();
        let names: Vec<_> = model
            .arguments()
            .map(|argument| argument.name.to_string())
            .collect();
        let shared: Vec<_> = model.states().map(|state| state.shared).collect();
        assert_eq!(names, ["b"]);
        assert_eq!(shared, [false, true]);
        assert!(model.is_async && matches!(model.parameters[3], Parameter::Context));
    }

    #[test]
    fn a_marked_parameter_of_a_wrong_type_is_refused() {
        let errors =
            |parameter: TokenStream| read(quote!(fn f(#parameter) {})).err().unwrap().concat();
        assert!(errors(quote!(#[state] a: Db)).contains("`&T` or `Arc<T>`"));
        assert!(errors(quote!(#[state] a: Arc)).contains("`&T` or `Arc<T>`"));
        assert!(errors(quote!(#[state] a: &mut Db)).contains("changes do not travel"));
        assert!(errors(quote!(#[state] a: &Db<'_>)).contains("borrows nothing"));
        assert!(errors(quote!(#[state] a: &str)).contains("`Sized`"));
        assert!(errors(quote!(#[state] a: Arc<dyn Db>)).contains("struct of your own"));
        assert!(errors(quote!(#[context] a: CallContext)).contains("`&CallContext`"));
        assert!(errors(quote!(#[state] #[context] a: &Db)).contains("keep either"));
        assert!(errors(quote!(#[state = "db"] a: &Db)).contains("only `#[state]`"));
    }

    #[test]
    fn every_wrong_parameter_is_reported() {
        let errors = read(quote!(
            fn f(&self, _: u8, (a, b): (u8, u8), #[cfg(x)] c: u8, ref d: u8) -> &str {}
        ));
        assert_eq!(errors.err().unwrap().len(), 6);
    }

    #[test]
    fn an_answer_is_owned() {
        let errors =
            |output: TokenStream| read(quote!(fn f() -> #output {})).err().unwrap().concat();
        assert!(errors(quote!(&'static str)).contains("return it owned"));
        assert!(errors(quote!(Cow<'static, str>)).contains("return it owned"));
        assert!(errors(quote!(impl Future<Output = u8>)).contains("an `async fn`"));
        assert!(errors(quote!(impl Iterator<Item = u8>)).contains("name the type"));
        assert!(errors(quote!(Result<(), Box<dyn Error>>)).contains("for errors, an enum"));
        assert!(errors(quote!(!)).contains("never answers"));
        assert!(
            read(quote!(
                fn f() {}
            ))
            .is_ok()
        );
    }
}
