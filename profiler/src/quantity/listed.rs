//! Enums that know all of their variants.

/// An enum, and `ALL`: its variants in their order, of which none can be missing.
macro_rules! listed {
    ($(#[$about:meta])* $vis:vis enum $name:ident { $($(#[$of_one:meta])* $variant:ident,)* }) => {
        $(#[$about])*
        $vis enum $name { $($(#[$of_one])* $variant,)* }

        impl $name {
            /// All of them, in their order.
            $vis const ALL: [Self; [$(stringify!($variant)),*].len()] = [$(Self::$variant),*];
        }
    };
}

pub(crate) use listed;
