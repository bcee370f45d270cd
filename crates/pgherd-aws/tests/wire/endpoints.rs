//! Where services are, compared with the endpoint rules of AWS's own client.

use pgherd_aws::Service;
use pgherd_aws::endpoint::{is_region, of_aws};

#[test]
fn services_are_where_botocore_says() {
    let mut lines = 0;
    for line in include_str!("endpoints.txt").lines().filter(|line| !line.starts_with('#')) {
        let [service, region, fips, url, signing_region] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("five words: {line}");
        };
        let service = match service {
            "cloudwatch" => Service::CloudWatch,
            name => Service::ALL.into_iter().find(|service| service.host_prefix() == name).expect(line),
        };
        let endpoint = of_aws(service, region, fips == "fips");
        assert_eq!((endpoint.url.as_str(), endpoint.signing_region.as_str()), (url, signing_region), "{line}");
        lines += 1;
    }
    assert_eq!(lines, 252);
}

#[test]
fn a_region_is_what_may_stand_in_the_name_of_a_host() {
    let fine = ["us-east-1", "ap-southeast-7", "us-isob-east-1", "eusc-de-east-1", "local"];
    let wrong = ["", "us-east-1.evil.test", "US-EAST-1", "us--east", "-us", "us-east-1/", "us east", "us-east-1@evil"];
    assert_eq!(fine.map(is_region), [true; 5]);
    assert_eq!(wrong.map(is_region), [false; 8]);
}
