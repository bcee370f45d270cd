//! Replicas are as many as the target makes, of a size it makes them of.

use super::block::{Block, service};
use super::multi_az::larger;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "read-replicas",
    words: "`read_replica_count` is at most 15 on RDS, 10 on Cloud SQL, 5 on Azure and `local`, 2 on DigitalOcean. Azure makes none of burstable \
            sizes, and Cloud SQL none without point-in-time recovery. RDS has no endpoint for all of them together.",
    fine: &[
        "create_read_replica = true",
        "cloud_provider = \"local\"\ncreate_read_replica = true\nread_replica_count = 2",
        "create_read_replica = false",
    ],
    wrong: &[
        Wrong {
            block: "create_read_replica = true\nread_replica_count = 16",
            says: &[
                "error read_replica_count: 16 replicas are more than RDS keeps, 15 [write 15 or fewer]",
                "note read_replica_count: RDS has no endpoint that spreads connections over replicas [the output read_replica_endpoints lists them]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\ncreate_read_replica = true\nread_replica_count = 6",
            says: &[
                "error read_replica_count: 6 replicas are more than the local provider keeps, 5 [write 5 or fewer]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"B_Standard_B1ms\"\ncreate_read_replica = true",
            says: &[
                "error create_read_replica: Azure makes no replicas of B_Standard_B1ms [write sku_name = \"GP_Standard_D2ds_v5\" or larger, or create_read_replica = false]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntier = \"db-custom-2-7680\"\ncreate_read_replica = true\nbackup_retention_period = 0",
            says: &[
                "error backup_retention_period: Cloud SQL makes read replicas only of an instance with backups and point-in-time recovery [write 1 or more days]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntier = \"db-custom-2-7680\"\ncreate_read_replica = true\nenable_binary_log_backup = false",
            says: &[
                "error enable_binary_log_backup: Cloud SQL makes read replicas only of an instance with backups and point-in-time recovery [write enable_binary_log_backup = true, or create_read_replica = false]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let (replicas, cloud) = (block.spec.replicas, block.target());
    if replicas == 0 {
        return Vec::new();
    }
    let most = match cloud {
        Cloud::Aws => 15,
        Cloud::Gcp => 10,
        Cloud::Azure | Cloud::Local => 5,
        Cloud::DigitalOcean => 2,
    };
    let mut out = Vec::new();
    if replicas > most {
        let message = format!("{replicas} replicas are more than {} keeps, {most}", service(cloud));
        out.push(block.error("read_replica_count", message, format!("write {most} or fewer")));
    }
    if replicas > 1 && cloud == Cloud::Aws {
        let message = "RDS has no endpoint that spreads connections over replicas";
        out.push(block.note("read_replica_count", message, "the output read_replica_endpoints lists them"));
    }
    let backup = &block.spec.backup;
    if cloud == Cloud::Gcp && (backup.retention_days == 0 || !backup.point_in_time) {
        let message = "Cloud SQL makes read replicas only of an instance with backups and point-in-time recovery";
        out.push(match backup.retention_days {
            0 => block.error("backup_retention_period", message, "write 1 or more days"),
            _ => {
                let help = "write enable_binary_log_backup = true, or create_read_replica = false";
                block.error("enable_binary_log_backup", message, help)
            }
        });
    }
    let alone = block.size().filter(|size| !size.replicas && cloud != Cloud::Local);
    if let Some(size) = alone {
        let message = format!("{} makes no replicas of {}", service(cloud), size.name);
        out.push(block.error(
            "create_read_replica",
            message,
            format!("write {} or larger, or create_read_replica = false", larger(block)),
        ));
    }
    out
}
