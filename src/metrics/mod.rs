//! What a client counts and measures, readable at any time from any thread.
//!
//! Names, groups and meanings are Kafka's: where kafka-python and the Java client both have a metric, they agree;
//! the rest is the Java client's. Rates, averages and maxima are taken over a sliding window
//! (`metrics.sample.window.ms` times `metrics.num.samples`, 60 s by default), totals since the client was built.
//! Where nothing was measured yet, an average or a maximum is NaN.
//!
//! Two groups of the Java client's have no counterpart: the times and turns of its selector (`io-*`, `select-*`), since
//! the event loop is another one, and `app-info`, whose values are texts; the version is `CARGO_PKG_VERSION`'s.
//!
//! ```
//! use kavka::{KafkaProducer, ProducerRecord};
//! # let cluster = kavka::mock::MockCluster::builder().topic("orders", 3).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let producer = KafkaProducer::builder().bootstrap_servers(servers).build()?;
//! producer.send(ProducerRecord::new("orders").value("paid"))?;
//! producer.flush(std::time::Duration::from_secs(10))?;
//!
//! let metrics = producer.metrics();
//! assert_eq!(metrics.get("producer-metrics", "record-send-total"), Some(1.0));
//! for metric in metrics.iter().filter(|metric| metric.group() == "producer-topic-metrics") {
//!     println!("{} of {:?} is {}", metric.name(), metric.tag("topic"), metric.value());
//! }
//! // For a scrape by Prometheus:
//! let text = metrics.to_prometheus();
//! assert!(text.contains("kafka_producer_record_send_total{client_id="));
//! # Ok::<(), kavka::Error>(())
//! ```
//!
//! # What is left out
//!
//! Of the Java client's metrics those of its network thread (`io-time-ns-avg`, `io-wait-ratio`, `select-rate` and their
//! like): kavka's IO thread works differently, and `network-io-rate` tells how busy it is. Those of the queues inside of
//! Java's consumer (`application-event-queue-size` and its like), and `app-info`, which tells a version. kafka-python's
//! plain names of topics and nodes in the names of groups are tags here, as in Java.
//!
//! Of kafka-python's module these have no counterpart: histograms and percentiles, which no client of Kafka
//! fills; quotas and the expiry of sensors, since what is measured lives as long as what it is measured of; and
//! reporters, for [`metrics()`](crate::KafkaProducer::metrics) can be read whenever a program wants to report.
//!
//! # Adding metrics
//!
//! For those who work on kavka, or build a client of their own on [`net`](crate::net). A client has one [`Registry`].
//! Each part of it declares what it measures in one table, made with [`sensors!`](crate::sensors), registers that
//! table once, and records:
//!
//! ```
//! use kavka::metrics::{Gauge, Registry, Sensor, WINDOW};
//! use kavka::net::clock::Clock;
//!
//! kavka::sensors! {
//!     /// What the shop measures.
//!     pub struct ShopSensors in "shop-metrics" {
//!         orders: Sensor {
//!             "order-rate" = OccurrenceRate, "Orders per second.";
//!             "order-value-avg" = Avg, "The average value of an order.";
//!         }
//!         waiting: Gauge {
//!             "waiting" = Value, "Orders that wait for payment.";
//!         }
//!     }
//! }
//!
//! let registry = Registry::new("shop", "till-3", WINDOW);
//! let sensors = ShopSensors::register(&registry, &[("city", "Gdynia")]);
//! sensors.orders.record(12.5, Clock::system().now());
//! sensors.waiting.set(2);
//! assert_eq!(registry.snapshot().get("shop-metrics", "order-value-avg"), Some(12.5));
//! ```
//!
//! - One [`Sensor`] serves all metrics of the same event. [`Gauge`] is a number that is set; [`Computed`] asks a
//!   closure when the metrics are read.
//! - A group that begins with `-` gets the client's kind in front: `-node-metrics` of a producer is
//!   `producer-node-metrics`. Every metric has the tag `client-id`; the rest is given to `register`.
//! - Metrics live as long as the struct that `register` returned or a clone of it. Sensors of a node, topic or
//!   partition go when whoever holds them forgets that node, topic or partition.
//! - On the IO thread the registry is at hand as [`Manager::registry`](crate::net::manager::Manager::registry).
//! - Recording takes one lock that nobody else holds for long, and no clock: the caller has the time at hand. Record
//!   for each batch, request or call, never for each record.

mod prometheus;
mod registry;
mod sensor;
mod snapshot;
mod table;

pub use registry::{Registry, Scope};
pub use sensor::{Computed, Gauge, Instrument, Sensor, Source, Stat, WINDOW, Window};
pub use snapshot::{Metric, MetricsSnapshot};
pub use table::{MetricInfo, Table};
