//! Invented names, each with its form in plain letters for e-mail addresses.

/// Given names.
pub(super) const GIVEN: &[(&str, &str)] = &[
    ("Ada", "ada"),
    ("Ben", "ben"),
    ("Clara", "clara"),
    ("David", "david"),
    ("Elif", "elif"),
    ("Farid", "farid"),
    ("Grace", "grace"),
    ("Hannah", "hannah"),
    ("Ivan", "ivan"),
    ("Jasmin", "jasmin"),
    ("Kofi", "kofi"),
    ("Lena", "lena"),
    ("Marek", "marek"),
    ("Nadia", "nadia"),
    ("Oskar", "oskar"),
    ("Paula", "paula"),
    ("Quentin", "quentin"),
    ("Rosa", "rosa"),
    ("Samuel", "samuel"),
    ("Tara", "tara"),
    ("Umar", "umar"),
    ("Vera", "vera"),
    ("Wanda", "wanda"),
    ("Yusuf", "yusuf"),
    ("Jürgen", "juergen"),
    ("Søren", "soeren"),
    ("Renée", "renee"),
    ("Łucja", "lucja"),
    ("José", "jose"),
    ("Zoë", "zoe"),
    ("Θεοδώρα", "theodora"),
    ("陽子", "yoko"),
];

/// Family names.
pub(super) const FAMILY: &[(&str, &str)] = &[
    ("Adler", "adler"),
    ("Berg", "berg"),
    ("Costa", "costa"),
    ("Dahl", "dahl"),
    ("Evans", "evans"),
    ("Fischer", "fischer"),
    ("Garcia", "garcia"),
    ("Horvat", "horvat"),
    ("Ilic", "ilic"),
    ("Jansen", "jansen"),
    ("Keller", "keller"),
    ("Lang", "lang"),
    ("Meyer", "meyer"),
    ("Novak", "novak"),
    ("Okafor", "okafor"),
    ("Peters", "peters"),
    ("Quinn", "quinn"),
    ("Rossi", "rossi"),
    ("Silva", "silva"),
    ("Tanaka", "tanaka"),
    ("Umarov", "umarov"),
    ("Vogel", "vogel"),
    ("Weber", "weber"),
    ("Young", "young"),
    ("Zimmer", "zimmer"),
    ("Müller", "mueller"),
    ("Ångström", "angstroem"),
    ("O'Brien", "obrien"),
    ("Dvořák", "dvorak"),
    ("Gößmann", "goessmann"),
    ("Nguyễn", "nguyen"),
    ("de la Cruz", "delacruz"),
    ("Şahin", "sahin"),
];

/// Departments with the titles in them, the most usual first.
pub(super) const DEPARTMENTS: &[(&str, &[&str])] = &[
    (
        "Engineering",
        &["Engineer", "Senior Engineer", "Test Engineer", "Architect"],
    ),
    (
        "Sales",
        &["Account Manager", "Sales Representative", "Sales Engineer"],
    ),
    ("Production", &["Technician", "Shift Lead", "Machinist"]),
    ("Finance", &["Accountant", "Controller", "Analyst"]),
    ("Customer Care", &["Agent", "Senior Agent", "Trainer"]),
    ("Logistics", &["Dispatcher", "Warehouse Clerk", "Planner"]),
    ("Marketing", &["Editor", "Designer", "Campaign Manager"]),
    ("People & Culture", &["Recruiter", "HR Partner"]),
    (
        "IT",
        &["Administrator", "Support Specialist", "Security Engineer"],
    ),
    ("Purchasing", &["Buyer", "Category Manager"]),
    ("Legal", &["Counsel", "Paralegal"]),
    ("Forschung & Entwicklung", &["Researcher", "Laboratory Assistant"]),
];

/// Legal entities: name, country, sites.
pub(super) const ENTITIES: &[(&str, &str, &[&str])] = &[
    ("Sandbox Deutschland GmbH", "DE", &["Hamburg", "München"]),
    ("Sandbox France SAS", "FR", &["Lyon", "Orléans"]),
    ("Sandbox Ireland Ltd", "IE", &["Dublin"]),
];

/// Teams in each department.
pub(super) const TEAMS: usize = 4;
