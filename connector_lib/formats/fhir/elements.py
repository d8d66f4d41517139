"""The elements of FHIR R4 that tables have columns for, as data.

A type is a line of ``name:type`` pairs, ``*`` marks a list. Backbone elements have the name of their resource type
before their own, as ``PatientContact``. Names of elements are those of the JSON form, so an element that may have
several types (``value[x]``) is there once a type: ``valueQuantity``, ``valueString``.

Left out are extensions, contained resources, narratives, embedded attachments, and what few systems send: all of that
is in the whole resource, which every table has beside its columns.

Sources: http://hl7.org/fhir/R4/datatypes.html and the page of each resource type, FHIR 4.0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["DATATYPES", "PRIMITIVES", "RESOURCES", "Element", "elements_of"]

_PRIMITIVE_NAMES: Final = (
    "boolean canonical code date dateTime decimal id instant integer markdown positiveInt string time unsignedInt uri"
    " url uuid"
)
PRIMITIVES: Final = frozenset(_PRIMITIVE_NAMES.split())
"""Types that are one value."""

DATATYPES: Final[Mapping[str, str]] = {
    "Meta": "versionId:id lastUpdated:instant source:uri profile:canonical* security:Coding* tag:Coding*",
    "Coding": "system:uri version:string code:code display:string userSelected:boolean",
    "CodeableConcept": "coding:Coding* text:string",
    "Identifier": "use:code type:CodeableConcept system:uri value:string period:Period assigner:Reference",
    # An identifier names its assigner by a reference, which has an identifier, which … : here the inner one ends it.
    "Reference": "reference:string type:uri identifier:ReferenceIdentifier display:string",
    "ReferenceIdentifier": "use:code type:CodeableConcept system:uri value:string period:Period",
    "Period": "start:dateTime end:dateTime",
    "HumanName": "use:code text:string family:string given:string* prefix:string* suffix:string* period:Period",
    "ContactPoint": "system:code value:string use:code rank:positiveInt period:Period",
    "Address": "use:code type:code text:string line:string* city:string district:string state:string"
    " postalCode:string country:string period:Period",
    "Quantity": "value:decimal comparator:code unit:string system:uri code:code",
    "Range": "low:Quantity high:Quantity",
    "Ratio": "numerator:Quantity denominator:Quantity",
    "Annotation": "authorReference:Reference authorString:string time:dateTime text:markdown",
    "Attachment": "contentType:code language:code url:url size:unsignedInt title:string creation:dateTime",
    "Timing": "event:dateTime* repeat:TimingRepeat code:CodeableConcept",
    "TimingRepeat": "boundsDuration:Quantity boundsRange:Range boundsPeriod:Period count:positiveInt"
    " countMax:positiveInt duration:decimal durationMax:decimal durationUnit:code frequency:positiveInt"
    " frequencyMax:positiveInt period:decimal periodMax:decimal periodUnit:code dayOfWeek:code* timeOfDay:time*"
    " when:code* offset:unsignedInt",
    "Dosage": "sequence:integer text:string additionalInstruction:CodeableConcept* patientInstruction:string"
    " timing:Timing asNeededBoolean:boolean asNeededCodeableConcept:CodeableConcept site:CodeableConcept"
    " route:CodeableConcept method:CodeableConcept doseAndRate:DosageDoseAndRate* maxDosePerPeriod:Ratio"
    " maxDosePerAdministration:Quantity maxDosePerLifetime:Quantity",
    "DosageDoseAndRate": "type:CodeableConcept doseRange:Range doseQuantity:Quantity rateRatio:Ratio rateRange:Range"
    " rateQuantity:Quantity",
    "AllergyIntoleranceReaction": "substance:CodeableConcept manifestation:CodeableConcept* description:string"
    " onset:dateTime severity:code exposureRoute:CodeableConcept note:Annotation*",
    "AppointmentParticipant": "type:CodeableConcept* actor:Reference required:code status:code period:Period",
    "CarePlanActivity": "outcomeCodeableConcept:CodeableConcept* outcomeReference:Reference* progress:Annotation*"
    " reference:Reference detail:CarePlanActivityDetail",
    "CarePlanActivityDetail": "kind:code code:CodeableConcept reasonCode:CodeableConcept* reasonReference:Reference*"
    " goal:Reference* status:code statusReason:CodeableConcept doNotPerform:boolean scheduledTiming:Timing"
    " scheduledPeriod:Period scheduledString:string location:Reference performer:Reference* description:string",
    "ConditionStage": "summary:CodeableConcept assessment:Reference* type:CodeableConcept",
    "ConditionEvidence": "code:CodeableConcept* detail:Reference*",
    "CoverageClass": "type:CodeableConcept value:string name:string",
    "DeviceDeviceName": "name:string type:code",
    "DeviceUdiCarrier": "deviceIdentifier:string issuer:uri jurisdiction:uri carrierHRF:string entryType:code",
    "DocumentReferenceContent": "attachment:Attachment format:Coding",
    "DocumentReferenceContext": "encounter:Reference* event:CodeableConcept* period:Period"
    " facilityType:CodeableConcept practiceSetting:CodeableConcept sourcePatientInfo:Reference related:Reference*",
    "EncounterStatusHistory": "status:code period:Period",
    "EncounterClassHistory": "class:Coding period:Period",
    "EncounterParticipant": "type:CodeableConcept* period:Period individual:Reference",
    "EncounterDiagnosis": "condition:Reference use:CodeableConcept rank:positiveInt",
    "EncounterHospitalization": "preAdmissionIdentifier:Identifier origin:Reference admitSource:CodeableConcept"
    " reAdmission:CodeableConcept dietPreference:CodeableConcept* specialCourtesy:CodeableConcept*"
    " specialArrangement:CodeableConcept* destination:Reference dischargeDisposition:CodeableConcept",
    "EncounterLocation": "location:Reference status:code physicalType:CodeableConcept period:Period",
    "ImmunizationPerformer": "function:CodeableConcept actor:Reference",
    "ImmunizationEducation": "documentType:string reference:uri publicationDate:dateTime presentationDate:dateTime",
    "ImmunizationReaction": "date:dateTime detail:Reference reported:boolean",
    "ImmunizationProtocolApplied": "series:string authority:Reference targetDisease:CodeableConcept*"
    " doseNumberPositiveInt:positiveInt doseNumberString:string seriesDosesPositiveInt:positiveInt"
    " seriesDosesString:string",
    "LocationPosition": "longitude:decimal latitude:decimal altitude:decimal",
    "MedicationBatch": "lotNumber:string expirationDate:dateTime",
    "MedicationIngredient": "itemCodeableConcept:CodeableConcept itemReference:Reference isActive:boolean"
    " strength:Ratio",
    "MedicationAdministrationPerformer": "function:CodeableConcept actor:Reference",
    "MedicationAdministrationDosage": "text:string site:CodeableConcept route:CodeableConcept method:CodeableConcept"
    " dose:Quantity rateRatio:Ratio rateQuantity:Quantity",
    "MedicationRequestDispenseRequest": "initialFill:MedicationRequestInitialFill dispenseInterval:Quantity"
    " validityPeriod:Period numberOfRepeatsAllowed:unsignedInt quantity:Quantity expectedSupplyDuration:Quantity"
    " performer:Reference",
    "MedicationRequestInitialFill": "quantity:Quantity duration:Quantity",
    "MedicationRequestSubstitution": "allowedBoolean:boolean allowedCodeableConcept:CodeableConcept"
    " reason:CodeableConcept",
    "ObservationReferenceRange": "low:Quantity high:Quantity type:CodeableConcept appliesTo:CodeableConcept*"
    " age:Range text:string",
    "ObservationComponent": "code:CodeableConcept valueQuantity:Quantity valueCodeableConcept:CodeableConcept"
    " valueString:string valueBoolean:boolean valueInteger:integer valueRange:Range valueRatio:Ratio valueTime:time"
    " valueDateTime:dateTime valuePeriod:Period dataAbsentReason:CodeableConcept interpretation:CodeableConcept*"
    " referenceRange:ObservationReferenceRange*",
    "OrganizationContact": "purpose:CodeableConcept name:HumanName telecom:ContactPoint* address:Address",
    "PatientContact": "relationship:CodeableConcept* name:HumanName telecom:ContactPoint* address:Address gender:code"
    " organization:Reference period:Period",
    "PatientCommunication": "language:CodeableConcept preferred:boolean",
    "PatientLink": "other:Reference type:code",
    "PractitionerQualification": "identifier:Identifier* code:CodeableConcept period:Period issuer:Reference",
    "PractitionerRoleAvailableTime": "daysOfWeek:code* allDay:boolean availableStartTime:time availableEndTime:time",
    "PractitionerRoleNotAvailable": "description:string during:Period",
    "ProcedurePerformer": "function:CodeableConcept actor:Reference onBehalfOf:Reference",
    "ProcedureFocalDevice": "action:CodeableConcept manipulated:Reference",
    "SpecimenCollection": "collector:Reference collectedDateTime:dateTime collectedPeriod:Period duration:Quantity"
    " quantity:Quantity method:CodeableConcept bodySite:CodeableConcept",
}
"""Complex types and backbone elements: their elements."""

RESOURCES: Final[Mapping[str, str]] = {
    "AllergyIntolerance": "identifier:Identifier* clinicalStatus:CodeableConcept verificationStatus:CodeableConcept"
    " type:code category:code* criticality:code code:CodeableConcept patient:Reference encounter:Reference"
    " onsetDateTime:dateTime onsetAge:Quantity onsetPeriod:Period onsetRange:Range onsetString:string"
    " recordedDate:dateTime recorder:Reference asserter:Reference lastOccurrence:dateTime note:Annotation*"
    " reaction:AllergyIntoleranceReaction*",
    "Appointment": "identifier:Identifier* status:code cancelationReason:CodeableConcept"
    " serviceCategory:CodeableConcept* serviceType:CodeableConcept* specialty:CodeableConcept*"
    " appointmentType:CodeableConcept reasonCode:CodeableConcept* reasonReference:Reference* priority:unsignedInt"
    " description:string start:instant end:instant minutesDuration:positiveInt slot:Reference* created:dateTime"
    " comment:string patientInstruction:string basedOn:Reference* participant:AppointmentParticipant*"
    " requestedPeriod:Period*",
    "CarePlan": "identifier:Identifier* basedOn:Reference* replaces:Reference* partOf:Reference* status:code"
    " intent:code category:CodeableConcept* title:string description:string subject:Reference encounter:Reference"
    " period:Period created:dateTime author:Reference contributor:Reference* careTeam:Reference* addresses:Reference*"
    " goal:Reference* activity:CarePlanActivity* note:Annotation*",
    "Condition": "identifier:Identifier* clinicalStatus:CodeableConcept verificationStatus:CodeableConcept"
    " category:CodeableConcept* severity:CodeableConcept code:CodeableConcept bodySite:CodeableConcept*"
    " subject:Reference encounter:Reference onsetDateTime:dateTime onsetAge:Quantity onsetPeriod:Period"
    " onsetRange:Range onsetString:string abatementDateTime:dateTime abatementAge:Quantity abatementPeriod:Period"
    " abatementRange:Range abatementString:string recordedDate:dateTime recorder:Reference asserter:Reference"
    " stage:ConditionStage* evidence:ConditionEvidence* note:Annotation*",
    "Coverage": "identifier:Identifier* status:code type:CodeableConcept policyHolder:Reference subscriber:Reference"
    " subscriberId:string beneficiary:Reference dependent:string relationship:CodeableConcept period:Period"
    " payor:Reference* class:CoverageClass* order:positiveInt network:string subrogation:boolean contract:Reference*",
    "Device": "identifier:Identifier* definition:Reference udiCarrier:DeviceUdiCarrier* status:code"
    " statusReason:CodeableConcept* distinctIdentifier:string manufacturer:string manufactureDate:dateTime"
    " expirationDate:dateTime lotNumber:string serialNumber:string deviceName:DeviceDeviceName* modelNumber:string"
    " partNumber:string type:CodeableConcept patient:Reference owner:Reference contact:ContactPoint*"
    " location:Reference url:uri note:Annotation* safety:CodeableConcept* parent:Reference",
    "DiagnosticReport": "identifier:Identifier* basedOn:Reference* status:code category:CodeableConcept*"
    " code:CodeableConcept subject:Reference encounter:Reference effectiveDateTime:dateTime effectivePeriod:Period"
    " issued:instant performer:Reference* resultsInterpreter:Reference* specimen:Reference* result:Reference*"
    " imagingStudy:Reference* conclusion:string conclusionCode:CodeableConcept* presentedForm:Attachment*",
    "DocumentReference": "masterIdentifier:Identifier identifier:Identifier* status:code docStatus:code"
    " type:CodeableConcept category:CodeableConcept* subject:Reference date:instant author:Reference*"
    " authenticator:Reference custodian:Reference description:string securityLabel:CodeableConcept*"
    " content:DocumentReferenceContent* context:DocumentReferenceContext",
    "Encounter": "identifier:Identifier* status:code statusHistory:EncounterStatusHistory* class:Coding"
    " classHistory:EncounterClassHistory* type:CodeableConcept* serviceType:CodeableConcept priority:CodeableConcept"
    " subject:Reference episodeOfCare:Reference* basedOn:Reference* participant:EncounterParticipant*"
    " appointment:Reference* period:Period length:Quantity reasonCode:CodeableConcept* reasonReference:Reference*"
    " diagnosis:EncounterDiagnosis* account:Reference* hospitalization:EncounterHospitalization"
    " location:EncounterLocation* serviceProvider:Reference partOf:Reference",
    "Immunization": "identifier:Identifier* status:code statusReason:CodeableConcept vaccineCode:CodeableConcept"
    " patient:Reference encounter:Reference occurrenceDateTime:dateTime occurrenceString:string recorded:dateTime"
    " primarySource:boolean reportOrigin:CodeableConcept location:Reference manufacturer:Reference lotNumber:string"
    " expirationDate:date site:CodeableConcept route:CodeableConcept doseQuantity:Quantity"
    " performer:ImmunizationPerformer* note:Annotation* reasonCode:CodeableConcept* reasonReference:Reference*"
    " isSubpotent:boolean subpotentReason:CodeableConcept* education:ImmunizationEducation*"
    " programEligibility:CodeableConcept* fundingSource:CodeableConcept reaction:ImmunizationReaction*"
    " protocolApplied:ImmunizationProtocolApplied*",
    "Location": "identifier:Identifier* status:code operationalStatus:Coding name:string alias:string*"
    " description:string mode:code type:CodeableConcept* telecom:ContactPoint* address:Address"
    " physicalType:CodeableConcept position:LocationPosition managingOrganization:Reference partOf:Reference",
    "Medication": "identifier:Identifier* code:CodeableConcept status:code manufacturer:Reference"
    " form:CodeableConcept amount:Ratio ingredient:MedicationIngredient* batch:MedicationBatch",
    "MedicationAdministration": "identifier:Identifier* instantiates:uri* partOf:Reference* status:code"
    " statusReason:CodeableConcept* category:CodeableConcept medicationCodeableConcept:CodeableConcept"
    " medicationReference:Reference subject:Reference context:Reference effectiveDateTime:dateTime"
    " effectivePeriod:Period performer:MedicationAdministrationPerformer* reasonCode:CodeableConcept*"
    " reasonReference:Reference* request:Reference device:Reference* note:Annotation*"
    " dosage:MedicationAdministrationDosage",
    "MedicationRequest": "identifier:Identifier* status:code statusReason:CodeableConcept intent:code"
    " category:CodeableConcept* priority:code doNotPerform:boolean reportedBoolean:boolean"
    " reportedReference:Reference medicationCodeableConcept:CodeableConcept medicationReference:Reference"
    " subject:Reference encounter:Reference authoredOn:dateTime requester:Reference performer:Reference"
    " performerType:CodeableConcept recorder:Reference reasonCode:CodeableConcept* reasonReference:Reference*"
    " basedOn:Reference* groupIdentifier:Identifier courseOfTherapyType:CodeableConcept insurance:Reference*"
    " note:Annotation* dosageInstruction:Dosage* dispenseRequest:MedicationRequestDispenseRequest"
    " substitution:MedicationRequestSubstitution priorPrescription:Reference",
    "MedicationStatement": "identifier:Identifier* basedOn:Reference* partOf:Reference* status:code"
    " statusReason:CodeableConcept* category:CodeableConcept medicationCodeableConcept:CodeableConcept"
    " medicationReference:Reference subject:Reference context:Reference effectiveDateTime:dateTime"
    " effectivePeriod:Period dateAsserted:dateTime informationSource:Reference derivedFrom:Reference*"
    " reasonCode:CodeableConcept* reasonReference:Reference* note:Annotation* dosage:Dosage*",
    "Observation": "identifier:Identifier* basedOn:Reference* partOf:Reference* status:code category:CodeableConcept*"
    " code:CodeableConcept subject:Reference focus:Reference* encounter:Reference effectiveDateTime:dateTime"
    " effectivePeriod:Period effectiveInstant:instant issued:instant performer:Reference* valueQuantity:Quantity"
    " valueCodeableConcept:CodeableConcept valueString:string valueBoolean:boolean valueInteger:integer"
    " valueRange:Range valueRatio:Ratio valueTime:time valueDateTime:dateTime valuePeriod:Period"
    " dataAbsentReason:CodeableConcept interpretation:CodeableConcept* note:Annotation* bodySite:CodeableConcept"
    " method:CodeableConcept specimen:Reference device:Reference referenceRange:ObservationReferenceRange*"
    " hasMember:Reference* derivedFrom:Reference* component:ObservationComponent*",
    "Organization": "identifier:Identifier* active:boolean type:CodeableConcept* name:string alias:string*"
    " telecom:ContactPoint* address:Address* partOf:Reference contact:OrganizationContact* endpoint:Reference*",
    "Patient": "identifier:Identifier* active:boolean name:HumanName* telecom:ContactPoint* gender:code"
    " birthDate:date deceasedBoolean:boolean deceasedDateTime:dateTime address:Address* maritalStatus:CodeableConcept"
    " multipleBirthBoolean:boolean multipleBirthInteger:integer contact:PatientContact*"
    " communication:PatientCommunication* generalPractitioner:Reference* managingOrganization:Reference"
    " link:PatientLink*",
    "Practitioner": "identifier:Identifier* active:boolean name:HumanName* telecom:ContactPoint* address:Address*"
    " gender:code birthDate:date qualification:PractitionerQualification* communication:CodeableConcept*",
    "PractitionerRole": "identifier:Identifier* active:boolean period:Period practitioner:Reference"
    " organization:Reference code:CodeableConcept* specialty:CodeableConcept* location:Reference*"
    " healthcareService:Reference* telecom:ContactPoint* availableTime:PractitionerRoleAvailableTime*"
    " notAvailable:PractitionerRoleNotAvailable* availabilityExceptions:string endpoint:Reference*",
    "Procedure": "identifier:Identifier* basedOn:Reference* partOf:Reference* status:code"
    " statusReason:CodeableConcept category:CodeableConcept code:CodeableConcept subject:Reference"
    " encounter:Reference performedDateTime:dateTime performedPeriod:Period performedString:string"
    " performedAge:Quantity performedRange:Range recorder:Reference asserter:Reference performer:ProcedurePerformer*"
    " location:Reference reasonCode:CodeableConcept* reasonReference:Reference* bodySite:CodeableConcept*"
    " outcome:CodeableConcept report:Reference* complication:CodeableConcept* complicationDetail:Reference*"
    " followUp:CodeableConcept* note:Annotation* focalDevice:ProcedureFocalDevice* usedReference:Reference*"
    " usedCode:CodeableConcept*",
    "ServiceRequest": "identifier:Identifier* basedOn:Reference* replaces:Reference* requisition:Identifier"
    " status:code intent:code category:CodeableConcept* priority:code doNotPerform:boolean code:CodeableConcept"
    " orderDetail:CodeableConcept* quantityQuantity:Quantity quantityRatio:Ratio quantityRange:Range"
    " subject:Reference encounter:Reference occurrenceDateTime:dateTime occurrencePeriod:Period"
    " occurrenceTiming:Timing asNeededBoolean:boolean asNeededCodeableConcept:CodeableConcept authoredOn:dateTime"
    " requester:Reference performerType:CodeableConcept performer:Reference* locationCode:CodeableConcept*"
    " locationReference:Reference* reasonCode:CodeableConcept* reasonReference:Reference* insurance:Reference*"
    " supportingInfo:Reference* specimen:Reference* bodySite:CodeableConcept* note:Annotation*"
    " patientInstruction:string",
    "Specimen": "identifier:Identifier* accessionIdentifier:Identifier status:code type:CodeableConcept"
    " subject:Reference receivedTime:dateTime parent:Reference* request:Reference* collection:SpecimenCollection"
    " condition:CodeableConcept* note:Annotation*",
}
"""Resource types with columns of their own: their elements, without those that every resource has."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its ``name`` in JSON, its ``type``, a primitive or one of :data:`DATATYPES`, and whether it is a
    list."""

    name: str
    type: str
    is_list: bool


@cache
def elements_of(type_name: str) -> tuple[Element, ...]:
    """The elements of a resource type or datatype, none for a resource type that has no columns of its own.

    >>> elements_of("Period")
    (Element(name='start', type='dateTime', is_list=False), Element(name='end', type='dateTime', is_list=False))
    """
    pairs = (part.partition(":") for part in (DATATYPES.get(type_name) or RESOURCES.get(type_name, "")).split())
    return tuple(Element(name, kind.removesuffix("*"), kind.endswith("*")) for name, _, kind in pairs)
