use netdr::{capture::*, cluster::*, model::*};
#[tokio::main]
async fn main() {
    let c = Cluster::connect(&Access::Kubeconfig { path: std::env::args().nth(1).unwrap().into(), context: None }).await.unwrap();
    println!("{:?}", c.identity(None).await.unwrap());
    let scope = Scope { components: Component::ALL.into_iter().collect(), ..Default::default() };
    let t = std::time::Instant::now();
    let cap = capture(&c, &scope, chrono::Utc::now(), &|_| true).await.unwrap();
    println!("{:?} items={} fail={:?} warn={:?} facts={:?}", t.elapsed(), cap.items.len(), cap.failures, cap.warnings, cap.facts);
    println!("absent {:?}", cap.absent);
    for i in cap.items.iter().filter(|i| !i.entry.key.is_kind("apiextensions.k8s.io","customresourcedefinitions")).take(60) { println!("{} {:?} {}", i.entry.component, i.entry.class, i.entry.key); }
}
