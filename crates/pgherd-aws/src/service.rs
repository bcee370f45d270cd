//! The nine services pgherd speaks to, and how each is spoken to.

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Databases.
    Rds,
    /// Networks and their rules.
    Ec2,
    /// Roles.
    Iam,
    /// Who we are.
    Sts,
    /// Topics that alarms go to.
    Sns,
    /// Passwords.
    SecretsManager,
    /// Keys.
    Kms,
    /// Log groups.
    Logs,
    /// Alarms and dashboards.
    CloudWatch,
}

/// How requests are written and answers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A form in, XML out: `<ActionResponse><ActionResult>…`. With the version of the API.
    Query(&'static str),
    /// The same with lists that are always flat and answers without the inner wrapper.
    Ec2(&'static str),
    /// JSON 1.1 both ways. With the target that stands before the action.
    Json(&'static str),
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rds,
        Self::Ec2,
        Self::Iam,
        Self::Sts,
        Self::Sns,
        Self::SecretsManager,
        Self::Kms,
        Self::Logs,
        Self::CloudWatch,
    ];

    /// First part of its host names (`endpointPrefix` of its service model).
    pub fn host_prefix(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::Ec2 => "ec2",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Sns => "sns",
            Self::SecretsManager => "secretsmanager",
            Self::Kms => "kms",
            Self::Logs => "logs",
            Self::CloudWatch => "monitoring",
        }
    }

    /// Its name in the scope of a signature: for all nine the first part of the host's.
    pub fn signing_name(self) -> &'static str {
        self.host_prefix()
    }

    /// Its name in a permission, as in `rds:CreateDBInstance`.
    pub fn permission_prefix(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            Self::Rds
            | Self::Ec2
            | Self::Iam
            | Self::Sts
            | Self::Sns
            | Self::SecretsManager
            | Self::Kms
            | Self::Logs => self.host_prefix(),
        }
    }

    /// Its `serviceId`, from which `AWS_ENDPOINT_URL_<SERVICE>` and the keys of a `services` section are made.
    pub fn id(self) -> &'static str {
        match self {
            Self::Rds => "RDS",
            Self::Ec2 => "EC2",
            Self::Iam => "IAM",
            Self::Sts => "STS",
            Self::Sns => "SNS",
            Self::SecretsManager => "Secrets Manager",
            Self::Kms => "KMS",
            Self::Logs => "CloudWatch Logs",
            Self::CloudWatch => "CloudWatch",
        }
    }

    /// How it is spoken to. CloudWatch takes several; moto only this and JSON, and answers its preferred CBOR with 404.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Rds => Protocol::Query("2014-10-31"),
            Self::Ec2 => Protocol::Ec2("2016-11-15"),
            Self::Iam => Protocol::Query("2010-05-08"),
            Self::Sts => Protocol::Query("2011-06-15"),
            Self::Sns => Protocol::Query("2010-03-31"),
            Self::SecretsManager => Protocol::Json("secretsmanager"),
            Self::Kms => Protocol::Json("TrentService"),
            Self::Logs => Protocol::Json("Logs_20140328"),
            Self::CloudWatch => Protocol::Query("2010-08-01"),
        }
    }
}
