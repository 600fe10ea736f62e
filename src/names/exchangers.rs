// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the mail of a domain goes, and for how long others remember that.

use std::sync::Arc;

use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{Resolver, TokioResolver};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::LIMIT;

/// The MX records of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailExchangers {
    /// Preferences and hosts; the smallest preference comes first.
    pub hosts: Vec<(u16, String)>,
    /// For how many seconds others still remember them.
    pub ttl: u32,
}

/// Why there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoExchanger {
    /// There is no such domain.
    NoSuchName,
    /// It takes no mail by MX records.
    NoRecord,
    /// The name server of this machine does not say.
    NoAnswer,
}

/// Asks for several domains at once; the answers are in their order.
pub fn of_domains(domains: &[String]) -> Vec<Result<MailExchangers, NoExchanger>> {
    let mut answers = vec![Err(NoExchanger::NoAnswer); domains.len()];
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return answers;
    };
    runtime.block_on(async {
        let Ok(resolver) = Resolver::builder_tokio().and_then(|builder| builder.build()) else {
            return;
        };
        let resolver = Arc::new(resolver);
        let mut questions = JoinSet::new();
        for (at, domain) in domains.iter().cloned().enumerate() {
            let resolver = Arc::clone(&resolver);
            questions.spawn(async move { (at, of_domain(&resolver, &domain).await) });
        }
        while let Some(Ok((at, answer))) = questions.join_next().await {
            if let Some(place) = answers.get_mut(at) {
                *place = answer;
            }
        }
    });
    runtime.shutdown_background();
    answers
}

async fn of_domain(resolver: &TokioResolver, domain: &str) -> Result<MailExchangers, NoExchanger> {
    let mut name = Name::from_ascii(domain).map_err(|_| NoExchanger::NoSuchName)?;
    // What /etc/resolv.conf appends to short names belongs to this machine.
    name.set_fqdn(true);
    let found = timeout(LIMIT, resolver.mx_lookup(name))
        .await
        .map_err(|_| NoExchanger::NoAnswer)?
        .map_err(|error| reason(&error))?;
    let mut hosts = vec![];
    let mut ttl = u32::MAX;
    for record in found.answers() {
        if let RData::MX(mx) = &record.data {
            let host = mx.exchange.to_ascii();
            hosts.push((mx.preference, host.trim_end_matches('.').to_owned()));
            ttl = ttl.min(record.ttl);
        }
    }
    // A single dot says that the domain takes no mail (RFC 7505).
    hosts.retain(|(_, host)| !host.is_empty());
    hosts.sort();
    match hosts.is_empty() {
        true => Err(NoExchanger::NoRecord),
        false => Ok(MailExchangers { hosts, ttl }),
    }
}

fn reason(error: &NetError) -> NoExchanger {
    match error {
        error if error.is_nx_domain() => NoExchanger::NoSuchName,
        error if error.is_no_records_found() => NoExchanger::NoRecord,
        _ => NoExchanger::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::Record;
    use hickory_resolver::proto::rr::rdata::MX;
    use tokio::net::UdpSocket;

    use super::*;

    /// Answers what it is asked, as a name server does that knows some domains.
    async fn serve(socket: UdpSocket) {
        let mut room = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut room).await {
            let question = Message::from_vec(&room[..length]).unwrap();
            let query = question.queries[0].clone();
            let name = query.name().clone();
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            answer.queries.push(query);
            let mut add = |preference, host: &str, ttl| {
                let mx = MX::new(preference, Name::from_ascii(host).unwrap());
                answer.add_answer(Record::from_rdata(name.clone(), ttl, RData::MX(mx)));
            };
            match name.to_ascii().as_str() {
                "old.example." => {
                    add(20, "backup.old.example.", 300);
                    add(10, "mx.old.example.", 3600);
                }
                "mute.example." => add(0, ".", 60),
                "bare.example." => {}
                _ => answer.metadata.response_code = ResponseCode::NXDomain,
            }
            socket.send_to(&answer.to_vec().unwrap(), client).await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_records_of_a_domain_are_told_with_their_time_to_live() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let mut server = NameServerConfig::udp([127, 0, 0, 1].into());
        server.connections = vec![connection];
        let config = ResolverConfig::from_name_servers(vec![server]);
        let serving = tokio::spawn(serve(socket));
        let resolver = Resolver::builder_with_config(config, Default::default())
            .build()
            .unwrap();
        let asked = |domain| of_domain(&resolver, domain);
        assert_eq!(
            asked("old.example").await,
            Ok(MailExchangers {
                hosts: vec![
                    (10, "mx.old.example".to_owned()),
                    (20, "backup.old.example".to_owned())
                ],
                ttl: 300
            })
        );
        assert_eq!(asked("mute.example").await, Err(NoExchanger::NoRecord));
        assert_eq!(asked("bare.example").await, Err(NoExchanger::NoRecord));
        assert_eq!(asked("none.example").await, Err(NoExchanger::NoSuchName));
        serving.abort();
    }
}
