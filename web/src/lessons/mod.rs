//! The lessons, in order: one module each, with its `State` and its `Lesson`.

use leptos::prelude::*;

use crate::state::{Damaged, Kept, changed, numbered, read, written};

/// Declares the lessons once: their modules, what the reader keeps, the address, the document.
macro_rules! lessons {
    ($($number:literal $module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// The lessons that there are, from 1.
        pub const NUMBERS: &[usize] = &[$($number),*];

        /// What the reader changed, lesson by lesson.
        #[derive(Clone, Copy)]
        pub struct Reader {
            $(
                #[doc = concat!("The state of lesson ", $number, ".")]
                pub $module: Kept<$module::State>,
            )*
        }

        impl Default for Reader {
            fn default() -> Self {
                Self { $($module: Kept::new($module::State::default()),)* }
            }
        }

        impl Reader {
            /// The query that leads to what is seen now; empty at the beginning.
            pub fn query(&self) -> String {
                let changed = [$(changed($number, self.$module.get())),*];
                written(changed.into_iter().flatten())
            }

            /// Shows what a query leads to.
            ///
            /// # Errors
            /// When any part of it means nothing; then nothing is changed.
            pub fn take(&self, query: &str) -> Result<(), Damaged> {
                $(let mut $module = $module::State::default();)*
                read(query, &mut [$(numbered($number, &mut $module)),*])?;
                $(self.$module.replace($module);)*
                Ok(())
            }

            /// The lessons one after the other.
            pub fn lessons(self) -> impl IntoView {
                ($(view! { <$module::Lesson kept=self.$module/> }.into_any(),)*)
            }
        }
    };
}

pub mod tiny;

lessons! {
    1 one,
    2 two,
    3 three,
    4 four,
    5 five,
    6 six,
    7 seven,
    8 eight,
    9 nine,
}
