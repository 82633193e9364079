//! The tables that say what is measured.

use super::Stat;

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub struct MetricInfo {
    /// The name, unique in its group.
    pub name: &'static str,
    /// What it says of the values.
    pub stat: Stat,
    /// What it means, with its unit.
    pub description: &'static str,
}

/// What a [`sensors!`](crate::sensors) table declares, for documents and tests.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The group; one that begins with `-` gets the client's kind in front.
    pub group: &'static str,
    /// The rows, by sensor.
    pub sensors: &'static [&'static [MetricInfo]],
}

/// Declares what a part of a client measures: a struct of instruments and the metrics of each, in one table.
///
/// See [`metrics`](crate::metrics) for an example. It makes the struct, `TABLE`, `register` and `off`.
#[macro_export]
macro_rules! sensors {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident in $group:literal {
            $(
                $field:ident: $instrument:ident {
                    $( $metric:literal = $stat:ident, $description:literal; )+
                }
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $(
                #[doc = concat!($("- `", $metric, "`: ", $description, "\n"),+)]
                $vis $field: $crate::metrics::$instrument,
            )+
        }

        impl $name {
            /// What is measured.
            $vis const TABLE: $crate::metrics::Table = $crate::metrics::Table {
                group: $group,
                sensors: &[$(&[$(
                    $crate::metrics::MetricInfo {
                        name: $metric,
                        stat: $crate::metrics::Stat::$stat,
                        description: $description,
                    },
                )+]),+],
            };

            /// Adds the metrics to a registry, with these tags; they go when the last clone of this does.
            $vis fn register(
                registry: &$crate::metrics::Registry,
                tags: &[(&'static str, &str)],
            ) -> Self {
                let mut scope = registry.scope(Self::TABLE, tags);
                Self { $($field: scope.add(),)+ }
            }

            /// Sensors that record nothing.
            #[allow(dead_code, reason = "not every table is used without a registry")]
            $vis fn off() -> Self {
                Self { $($field: $crate::metrics::Instrument::off(),)+ }
            }
        }
    };
}
