//! The canonical fields by name, for manifests, expressions and the fields a customer may choose.

/// A canonical field of the employee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in manifests, files and expressions.
    pub name: &'static str,
    /// Whether it is read only by choice, sealed at rest and masked.
    pub sensitive: bool,
    /// Names of its parts, when it has any.
    pub parts: &'static [&'static str],
}

const UNIT: &[&str] = &["id", "code", "name"];
const NONE: &[&str] = &[];

const fn plain(name: &'static str, parts: &'static [&'static str]) -> Field {
    Field {
        name,
        sensitive: false,
        parts,
    }
}

const fn sensitive(name: &'static str, parts: &'static [&'static str]) -> Field {
    Field {
        name,
        sensitive: true,
        parts,
    }
}

/// All canonical fields. `status` and the four of the leading employment (`employment_type`, `first_day`, `last_day`,
/// `last_working_day`) are plain texts here; dates are written `YYYY-MM-DD`.
pub const FIELDS: &[Field] = &[
    plain("source_id", NONE),
    plain("remote_id", NONE),
    plain("employee_number", NONE),
    plain("given_name", NONE),
    plain("family_name", NONE),
    plain("preferred_name", NONE),
    plain("middle_name", NONE),
    plain("display_name", NONE),
    plain("work_email", NONE),
    sensitive("private_email", NONE),
    plain("work_phone", NONE),
    plain("mobile_phone", NONE),
    plain("title", NONE),
    plain("department", UNIT),
    plain("team", UNIT),
    plain("cost_center", UNIT),
    plain("division", UNIT),
    plain("entity", UNIT),
    plain("location", UNIT),
    sensitive("address", &["street", "city", "region", "postal_code", "country"]),
    plain("manager", &["source_id", "email", "employee_number"]),
    plain("status", NONE),
    plain("employment_type", NONE),
    plain("first_day", NONE),
    plain("last_day", NONE),
    plain("last_working_day", NONE),
    plain("locale", NONE),
    plain("time_zone", NONE),
    sensitive("gender", NONE),
    sensitive("marital_status", NONE),
    sensitive("children", NONE),
    sensitive("birth_date", NONE),
    sensitive("national_id", NONE),
    sensitive("bank_accounts", NONE),
    sensitive("photo", NONE),
    plain("custom", NONE),
];

impl Field {
    /// What it is about, for people who choose among fields: `identity`, `name`, `contact`, `organisation`,
    /// `employment`, `personal`, `payroll` or `custom`.
    #[must_use]
    pub fn area(&self) -> &'static str {
        match self.name {
            "source_id" | "remote_id" | "employee_number" => "identity",
            "given_name" | "family_name" | "preferred_name" | "middle_name" | "display_name" => "name",
            "work_email" | "private_email" | "work_phone" | "mobile_phone" | "address" => "contact",
            "title" | "department" | "team" | "cost_center" | "division" | "entity" | "location"
            | "manager" => "organisation",
            "status" | "employment_type" | "first_day" | "last_day" | "last_working_day" => "employment",
            "bank_accounts" => "payroll",
            "custom" => "custom",
            _ => "personal",
        }
    }
}

/// The field of that name.
#[must_use]
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}
