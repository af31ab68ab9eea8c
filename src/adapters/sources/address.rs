//! Which addresses a URL from anybody may lead to.
//!
//! Whoever may add a URL could otherwise read, through the librarian, what only its machine
//! can reach: the cloud's key server, a database, a router. So only the public web is open,
//! and the rest by exception.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use url::{Host, Url};

/// Where documents may be fetched from, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Networks that are open although they are not public: a team's own wiki.
    pub exceptions: Vec<Network>,
    pub ports: Ports,
    /// Longest body, in bytes.
    pub longest: usize,
    /// Time for one document, redirects and all.
    pub patience: Duration,
}

/// Which ports are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// 80 and 443: other services are not asked to speak HTTP.
    Web,
    /// Any port.
    Any,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            exceptions: Vec::new(),
            ports: Ports::Web,
            longest: 10 << 20,
            patience: Duration::from_secs(20),
        }
    }
}

/// Why a URL is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    #[error("that is not a web address")]
    NotAUrl,
    #[error("only http and https are followed, not {0}")]
    Scheme(String),
    #[error("an address with a user name or password in it is not followed")]
    Credentials,
    #[error("only ports 80 and 443 are open, not {0}")]
    Port(u16),
    #[error("{0} is not on the public web; somebody who runs saseo can allow this network")]
    Address(IpAddr),
    #[error("it redirects more than {0} times")]
    Redirects(usize),
    #[error("it redirects from https to http")]
    Downgrade,
    #[error("it redirects, but does not say where to")]
    NoLocation,
}

impl Blocked {
    /// The same in Korean. The English is what it displays.
    pub fn korean(&self) -> String {
        match self {
            Self::NotAUrl => "웹 주소가 아닙니다".to_owned(),
            Self::Scheme(scheme) => {
                format!("http와 https 주소만 읽으며, {scheme} 주소는 읽지 않습니다")
            },
            Self::Credentials => {
                "사용자 이름이나 비밀번호가 들어 있는 주소는 읽지 않습니다".to_owned()
            },
            Self::Port(port) => {
                format!("80번과 443번 포트만 열려 있고 {port}번은 닫혀 있습니다")
            },
            Self::Address(address) => format!(
                "{address} 주소는 공개된 웹에 있지 않습니다. saseo를 운영하는 사람이 이 네트워크를 \
                 허용할 수 있습니다"
            ),
            Self::Redirects(most) => format!("다른 주소로 {most}번 넘게 넘깁니다"),
            Self::Downgrade => "https에서 http로 넘깁니다".to_owned(),
            Self::NoLocation => "다른 주소로 넘기지만 어디인지 알려 주지 않습니다".to_owned(),
        }
    }
}

impl Policy {
    /// Reads `raw` as a URL that may be followed, as far as can be told without asking for its
    /// address: that is checked again when its name has been looked up.
    pub fn admit(&self, raw: &str) -> Result<Url, Blocked> {
        // The parser repairs these silently; who writes them wants to be misread.
        if raw
            .trim()
            .contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return Err(Blocked::NotAUrl);
        }
        self.admitted(Url::parse(raw.trim()).map_err(|_| Blocked::NotAUrl)?)
    }

    pub(super) fn admitted(&self, mut url: Url) -> Result<Url, Blocked> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Blocked::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Blocked::Credentials);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if self.ports == Ports::Web && !matches!(port, 80 | 443) {
            return Err(Blocked::Port(port));
        }
        // The client looks up names only, so an address in the URL is checked here.
        match url.host().ok_or(Blocked::NotAUrl)? {
            Host::Ipv4(address) => self.reach(address.into())?,
            Host::Ipv6(address) => self.reach(address.into())?,
            Host::Domain(_) => {},
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Whether `address` may be connected to.
    pub fn reach(&self, address: IpAddr) -> Result<(), Blocked> {
        let excepted = self.exceptions.iter().any(|network| network.holds(address));
        if excepted || is_public(address) {
            Ok(())
        } else {
            Err(Blocked::Address(address))
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !within(address.into(), &CLOSED_V4),
        // Only 2000::/3 is handed out to the public; what is not is closed, known or not.
        IpAddr::V6(_) => within(address, &[PUBLIC_V6]) && !within(address, &CLOSED_V6),
    }
}

fn within(address: IpAddr, networks: &[Network]) -> bool {
    networks.iter().any(|network| network.holds(address))
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Network {
    Network {
        address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)),
        prefix,
    }
}

const fn v6(a: u16, b: u16, prefix: u8) -> Network {
    Network {
        address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)),
        prefix,
    }
}

/// This host, private, shared, loopback, link-local, protocol, documentation, relay,
/// benchmark, multicast and reserved addresses.
const CLOSED_V4: [Network; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];

const PUBLIC_V6: Network = v6(0x2000, 0, 3);

/// Tunnels that can lead to a closed IPv4 address (Teredo, 6to4), protocol and documentation.
const CLOSED_V6: [Network; 4] = [
    v6(0x2001, 0, 23),
    v6(0x2001, 0xDB8, 32),
    v6(0x2002, 0, 16),
    v6(0x3FFF, 0, 20),
];

/// A network, written `10.0.0.0/8`; a single address is one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that names no network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network; one is written like 10.0.0.0/8 or fd00::/8")]
pub struct NotANetwork(String);

impl Network {
    /// Whether `address` lies in this network. A v4 address within a v6 one never does: it is
    /// the v6 address that would be connected to.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let host = 32_u32.saturating_sub(self.prefix.into());
                let bits = network.to_bits() ^ address.to_bits();
                bits.checked_shr(host).unwrap_or(0) == 0
            },
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let host = 128_u32.saturating_sub(self.prefix.into());
                let bits = network.to_bits() ^ address.to_bits();
                bits.checked_shr(host).unwrap_or(0) == 0
            },
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let none = || NotANetwork(text.to_owned());
        let (address, prefix) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        let address: IpAddr = address.parse().map_err(|_| none())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            "" => widest,
            digits => digits.parse().map_err(|_| none())?,
        };
        (prefix <= widest)
            .then_some(Self { address, prefix })
            .ok_or_else(none)
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &str, reached: impl Fn(&Result<(), Blocked>) -> bool) {
        for address in addresses.split_whitespace() {
            let parsed = address.parse().expect("an address");
            assert!(reached(&Policy::default().reach(parsed)), "{address}");
        }
    }

    #[test]
    fn the_public_web_is_open_up_to_its_borders() {
        check(
            "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 128.0.0.0 172.15.255.255 \
             172.32.0.0 198.17.255.255 198.20.0.0 223.255.255.255 2606:4700::1111 2400::1 \
             2001:200::1",
            Result::is_ok,
        );
        check(
            "0.0.0.0 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.255.255.255 \
             169.254.169.254 172.16.0.0 172.31.255.255 192.168.255.255 198.19.255.255 224.0.0.0 \
             255.255.255.255 :: ::1 fc00:: fe80::1 ff02::1 ::ffff:1.1.1.1 64:ff9b::101:101 \
             2002:101:101:: 2001::1 2001:db8::1 100::1 5f00::1",
            Result::is_err,
        );
    }

    #[test]
    fn an_exception_opens_its_network_and_no_more() {
        let policy = Policy {
            exceptions: vec![
                "10.1.0.0/16".parse().expect("a network"),
                "::1".parse().expect("one"),
            ],
            ..Policy::default()
        };
        assert!(policy.admit("http://10.1.2.3/wiki").is_ok());
        assert!(policy.admit("http://[::1]/").is_ok());
        assert!(policy.admit("http://10.2.2.3/").is_err());
        assert!(policy.admit("http://127.0.0.1/").is_err());
    }

    #[test]
    fn networks_are_read_and_written() {
        for (text, written) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.1.1", "10.1.1.1/32"),
            ("fd00::/8", "fd00::/8"),
        ] {
            assert_eq!(
                text.parse::<Network>().map(|n| n.to_string()).as_deref(),
                Ok(written)
            );
        }
        for slip in ["", "10.0.0.0/33", "wiki", "::1/129", "10.0.0.0/x"] {
            assert_eq!(slip.parse::<Network>(), Err(NotANetwork(slip.to_owned())));
        }
    }
}
