//! Where a service is in a region: its URL, and the region a signature names.
//!
//! The rules of `endpoint-rule-set-1.json` of botocore 1.43.11 for our nine services: one pattern, and IAM, which is of a whole
//! partition. The test compares with what botocore says. Dual-stack names are left out: the plain ones work everywhere.

use pgherd_http::Url;

use crate::service::Service;

/// A place to send requests of a service to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub url: Url,
    /// The region in the scope of the signature.
    pub signing_region: String,
}

/// A part of AWS with accounts of its own.
struct Partition {
    /// Its regions begin with this.
    regions: &'static str,
    /// What it is called in an ARN.
    name: &'static str,
    suffix: &'static str,
    /// Host and signing region of IAM, without and with FIPS.
    iam: (&'static str, &'static str),
    iam_fips: (&'static str, &'static str),
}

const OTHERS: &[Partition] = &[
    Partition {
        regions: "cn-",
        name: "aws-cn",
        suffix: "amazonaws.com.cn",
        iam: ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        iam_fips: ("iam-fips.amazonaws.com.cn", "cn-northwest-1"),
    },
    Partition {
        regions: "us-gov-",
        name: "aws-us-gov",
        suffix: "amazonaws.com",
        iam: ("iam.us-gov.amazonaws.com", "us-gov-west-1"),
        iam_fips: ("iam.us-gov.amazonaws.com", "us-gov-west-1"),
    },
    Partition {
        regions: "us-iso-",
        name: "aws-iso",
        suffix: "c2s.ic.gov",
        iam: ("iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        iam_fips: ("iam-fips.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    },
    Partition {
        regions: "us-isob-",
        name: "aws-iso-b",
        suffix: "sc2s.sgov.gov",
        iam: ("iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        iam_fips: ("iam-fips.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
    },
    Partition {
        regions: "eu-isoe-",
        name: "aws-iso-e",
        suffix: "cloud.adc-e.uk",
        iam: ("iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        iam_fips: ("iam-fips.cloud.adc-e.uk", "eu-isoe-west-1"),
    },
    Partition {
        regions: "us-isof-",
        name: "aws-iso-f",
        suffix: "csp.hci.ic.gov",
        iam: ("iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        iam_fips: ("iam-fips.csp.hci.ic.gov", "us-isof-south-1"),
    },
    Partition {
        regions: "eusc-",
        name: "aws-eusc",
        suffix: "amazonaws.eu",
        iam: ("iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        iam_fips: ("iam-fips.amazonaws.eu", "eusc-de-east-1"),
    },
];

const USUAL: Partition = Partition {
    regions: "",
    name: "aws",
    suffix: "amazonaws.com",
    iam: ("iam.amazonaws.com", "us-east-1"),
    iam_fips: ("iam-fips.amazonaws.com", "us-east-1"),
};

/// What the part of AWS that a region is in is called in an ARN.
pub fn arn_partition(region: &str) -> &'static str {
    partition(region).name
}

/// What the names of hosts end with in a region.
pub fn suffix(region: &str) -> &'static str {
    partition(region).suffix
}

/// Where AWS itself has `service` for `region`.
pub fn of_aws(service: Service, region: &str, fips: bool) -> Endpoint {
    let partition = partition(region);
    let (host, signing_region) = if service == Service::Iam {
        let (host, region) = if fips { partition.iam_fips } else { partition.iam };
        (host.to_owned(), region)
    } else {
        let dash_fips = if fips && !is_fips_anyway(service, region) { "-fips" } else { "" };
        (format!("{}{dash_fips}.{region}.{}", service.host_prefix(), partition.suffix), region)
    };
    let url = Url::parse(&format!("https://{host}/")).expect("a region was checked to be letters, digits and dashes");
    Endpoint { url, signing_region: signing_region.to_owned() }
}

/// Whether it is a region's name as far as one can tell: it becomes a part of a host's name.
pub fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 40
        && text
            .split('-')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

fn partition(region: &str) -> &'static Partition {
    OTHERS.iter().find(|partition| region.starts_with(partition.regions)).unwrap_or(&USUAL)
}

/// In GovCloud the plain names are FIPS endpoints already, but for two services.
fn is_fips_anyway(service: Service, region: &str) -> bool {
    region.starts_with("us-gov-") && !matches!(service, Service::SecretsManager | Service::Kms)
}
